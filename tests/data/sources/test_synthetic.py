import tracemalloc

import numpy as np
import pytest

from src.data.interactions import Interactions
from src.data.sources.synthetic import Synthetic
from src.errors import UserError

SMALL = {"n_users": 400, "n_items": 250, "n_interactions": 16_000}


def pairs(data: Interactions) -> np.ndarray:
    return data.users.astype(np.int64) * data.n_items + data.items


def test_shape_and_types() -> None:
    data = Synthetic(**SMALL).read()
    assert (len(data), data.n_users, data.n_items) == (16_000, 400, 250)
    assert (data.users.dtype, data.items.dtype) == (np.int32, np.int32)
    assert data.ratings is not None
    assert data.ratings.dtype == np.float32
    assert set(np.unique(data.ratings)) == {1, 2, 3, 4, 5}
    assert data.timestamps is not None
    assert data.timestamps.dtype == np.int64
    assert np.array_equal(data.user_ids, np.arange(400))
    assert np.array_equal(data.item_ids, np.arange(250))


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_interactions", "min_per_user"),
    [
        (400, 250, 16_000, 20),
        (400, 250, 8_000, 20),  # everybody at the minimum
        (30, 40, 1_200, 20),  # everybody has everything
        (30, 40, 1_199, 20),
        (30, 40, 1_000, 20),
        (7, 20, 140, 20),  # the minimum is everything
        (1, 1, 1, 1),
        (50, 10, 50, 1),
    ],
)
def test_sizes_are_exact(
    n_users: int, n_items: int, n_interactions: int, min_per_user: int
) -> None:
    data = Synthetic(n_users, n_items, n_interactions, min_per_user=min_per_user).read()
    assert len(np.unique(pairs(data))) == len(data) == n_interactions
    assert np.bincount(data.users, minlength=n_users).min() >= min_per_user
    assert np.bincount(data.items, minlength=n_items).min() >= 1


def test_more_items_than_interactions_leaves_no_item_twice() -> None:
    data = Synthetic(n_users=5, n_items=1_000, n_interactions=100).read()
    assert np.bincount(data.items).max() == 1


def test_many_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.data.sources.synthetic.CHUNK", 100)  # some users are larger
    data = Synthetic(**SMALL).read()
    assert len(np.unique(pairs(data))) == 16_000
    assert np.bincount(data.users, minlength=400).min() >= 20
    assert (np.diff(data.users) >= 0).all()


def test_rows_are_in_order_of_user_and_time() -> None:
    data = Synthetic(**SMALL).read()
    assert data.timestamps is not None
    order = np.lexsort((data.timestamps, data.users))
    assert np.array_equal(order, np.arange(len(data)))


def test_same_parameters_same_interactions() -> None:
    data, again = Synthetic(**SMALL).read(), Synthetic(**SMALL).read()
    assert np.array_equal(data.items, again.items)
    assert np.array_equal(data.ratings, again.ratings)
    assert np.array_equal(data.timestamps, again.timestamps)
    other = Synthetic(**SMALL, seed=1).read()
    assert not np.array_equal(data.items, other.items)


def test_first_interactions_are_known() -> None:
    """Raise GENERATOR_VERSION with any change here: prepared data is cached by fingerprint."""
    data = Synthetic(**SMALL).read()
    assert data.users[:6].tolist() == [0, 0, 0, 0, 0, 0]
    assert data.items[:6].tolist() == [202, 39, 47, 74, 67, 233]


def test_fingerprint_tells_parameters_apart() -> None:
    fingerprint = Synthetic(**SMALL).fingerprint()
    assert fingerprint == Synthetic(**SMALL).fingerprint()
    assert fingerprint != Synthetic(**SMALL, seed=1).fingerprint()
    assert fingerprint != Synthetic(**SMALL, n_tastes=9).fingerprint()


def test_activity_and_popularity_are_as_skewed_as_movielens() -> None:
    data = Synthetic(n_users=1_000, n_items=500, n_interactions=50_000).read()
    activity = np.bincount(data.users)
    assert 20 <= np.median(activity) < activity.mean() < activity.max() <= 5 / 8 * 500 + 1
    popularity = np.sort(np.bincount(data.items))[::-1]
    assert 0.3 < popularity[:50].sum() / 50_000 < 0.6  # .1 without skew


def test_memory_does_not_grow_with_users_times_items() -> None:
    tracemalloc.start()
    try:
        Synthetic(n_users=10_000, n_items=100_000, n_interactions=200_000).read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150e6  # one bit for each of the pairs would be 125 MB; 8 bytes, 8 GB


def hit_rate(target: np.ndarray, negatives: np.ndarray) -> float:
    """Compute HR@10 of scores [U] and [U, 99]; ties count against the target."""
    rank = 1 + (negatives >= target[:, None]).sum(axis=1)
    return float((rank <= 10).mean())


def test_tastes_can_be_learned_and_popularity_is_not_enough() -> None:
    data = Synthetic(n_users=1_000, n_items=500, n_interactions=50_000).read()
    last = np.append(np.diff(data.users) > 0, True)
    target = data.items[last]
    seen = np.zeros((1_000, 500), np.float32)
    seen[data.users, data.items] = 1
    order = np.argsort(np.random.default_rng(0).random(seen.shape) + seen, axis=1)
    negatives = order[:, :99]  # the positives come last
    everyone = np.arange(1_000)
    seen[everyone, target] = 0  # leave one out

    popularity = seen.sum(axis=0)
    by_popularity = hit_rate(popularity[target], popularity[negatives])

    # EASE (Steck, 2019): B = I - P / diag(P), P = (XᵀX + λI)⁻¹
    inverse = np.linalg.inv(seen.T @ seen + 100 * np.eye(500))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = seen @ weights
    by_taste = hit_rate(scores[everyone, target], scores[everyone[:, None], negatives])

    assert 0.35 < by_popularity < 0.50  # chance: .10
    assert by_taste > by_popularity + 0.20


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_items": 0}, "n_items must be a whole number of at least 1, not 0"),
        ({"n_users": 1e6}, "n_users must be a whole number of at least 1, not 1000000.0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"n_tastes": "ten"}, "n_tastes must be a whole number of at least 1, not 'ten'"),
        (
            {"n_items": 19},
            "min_per_user=20 distinct items can't be had from n_items=19; "
            "lower the one or raise the other",
        ),
        (
            {"n_users": 10, "n_items": 30, "n_interactions": 301},
            "n_interactions=301 must be between 200 (n_users × min_per_user) "
            "and 300 (n_users × n_items)",
        ),
        (
            {"n_users": 10, "n_items": 30, "n_interactions": 199},
            "n_interactions=199 must be between 200 (n_users × min_per_user) "
            "and 300 (n_users × n_items)",
        ),
    ],
)
def test_contradictions_are_refused(parameters: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        Synthetic(**parameters)
    assert str(error.value) == f"synthetic data: {message}"

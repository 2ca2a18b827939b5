from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.filtering import filter_interactions
from src.data.interactions import Interactions
from src.errors import UserError

Row = tuple[int, int]


def interactions(
    rows: list[Row], ratings: list[float] | None = None, times: list[int] | None = None
) -> Interactions:
    """Return rows of user and item; user 3 is called "u3", item 3 is called 103."""
    users = np.array([user for user, _ in rows], np.int32)
    items = np.array([item for _, item in rows], np.int32)
    return Interactions(
        users,
        items,
        np.array([f"u{user}" for user in range(1 + users.max(initial=0))]),
        100 + np.arange(1 + items.max(initial=0)),
        None if ratings is None else np.array(ratings, np.float32),
        None if times is None else np.array(times, np.int64),
    )


def raw(data: Interactions) -> list[tuple[str, int]]:
    return list(
        zip(data.user_ids[data.users].tolist(), data.item_ids[data.items].tolist(), strict=True)
    )


def test_nothing_to_filter_changes_nothing() -> None:
    data = interactions([(1, 0), (0, 1), (0, 0)], [1, 2, 3], [9, 8, 7])
    kept = filter_interactions(data, threshold=None, k_core=1)
    assert raw(kept) == [("u1", 100), ("u0", 101), ("u0", 100)]
    assert kept.users.tolist() == [1, 0, 0]
    assert kept.users.dtype == kept.items.dtype == np.int32
    assert kept.ratings is not None
    assert kept.ratings.tolist() == [1, 2, 3]
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [9, 8, 7]


def test_threshold_keeps_ratings_of_at_least_it_and_renumbers() -> None:
    data = interactions([(0, 0), (1, 1), (2, 2), (1, 3)], [3.5, 4, 5, 4.5])
    kept = filter_interactions(data, threshold=4, k_core=1)
    assert raw(kept) == [("u1", 101), ("u2", 102), ("u1", 103)]
    assert (kept.users.tolist(), kept.items.tolist()) == ([0, 1, 0], [0, 1, 2])
    assert kept.user_ids.tolist() == ["u1", "u2"]
    assert kept.item_ids.tolist() == [101, 102, 103]


def test_a_repeated_pair_keeps_its_latest_row_in_place() -> None:
    rows = [(0, 0), (0, 1), (0, 0), (1, 0), (0, 0)]
    data = interactions(rows, ratings=[1, 2, 3, 4, 5], times=[30, 10, 40, 10, 20])
    kept = filter_interactions(data, threshold=None, k_core=1)
    assert raw(kept) == [("u0", 101), ("u0", 100), ("u1", 100)]
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [10, 40, 10]


@pytest.mark.parametrize("times", [None, [7, 7, 7, 7]])
def test_of_equal_times_or_none_the_later_line_is_kept(times: list[int] | None) -> None:
    data = interactions([(0, 0), (0, 0), (1, 1), (0, 0)], ratings=[1, 2, 3, 4], times=times)
    kept = filter_interactions(data, threshold=None, k_core=1)
    assert kept.ratings is not None
    assert kept.ratings.tolist() == [3, 4]


def test_threshold_comes_before_repeated_pairs() -> None:
    data = interactions([(0, 0), (0, 0)], ratings=[5, 1], times=[1, 2])
    kept = filter_interactions(data, threshold=4, k_core=1)
    assert kept.ratings is not None
    assert kept.ratings.tolist() == [5]


def test_repeats_do_not_count_towards_the_core() -> None:
    data = interactions([(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 1)])
    kept = filter_interactions(data, None, k_core=2)
    assert raw(kept) == [("u0", 100), ("u0", 101), ("u1", 100), ("u1", 101)]


def test_core_removes_in_chains() -> None:
    square = [(0, 0), (0, 1), (1, 0), (1, 1)]
    chain = [(2, 1), (2, 2), (3, 2), (3, 3)]  # item 3 falls, then user 3, item 2, user 2
    kept = filter_interactions(interactions(chain + square), None, k_core=2)
    assert list(zip(kept.users.tolist(), kept.items.tolist(), strict=True)) == square


def naive_core(rows: set[Row], k: int) -> set[Row]:
    """Remove one row at a time while any user or item has fewer than k."""
    while True:
        for user, item in rows:
            degrees = (
                sum(other == user for other, _ in rows),
                sum(other == item for _, other in rows),
            )
            if min(degrees) < k:
                rows = rows - {(user, item)}
                break
        else:
            return rows


some_rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25)


@given(some_rows, st.integers(1, 4))
def test_core_is_the_largest_in_which_all_have_k(rows: list[Row], k: int) -> None:
    expected = {(f"u{user}", 100 + item) for user, item in naive_core(set(rows), k)}
    if not expected:
        with pytest.raises(UserError, match="no interactions are left"):
            filter_interactions(interactions(rows), None, k)
        return
    kept = filter_interactions(interactions(rows), None, k)
    assert len(kept) == len(expected)
    assert set(raw(kept)) == expected


@given(some_rows, st.data())
def test_ids_stay_contiguous_and_keep_their_names(rows: list[Row], data: st.DataObject) -> None:
    ratings = data.draw(
        st.lists(st.sampled_from([1.0, 5.0]), min_size=len(rows), max_size=len(rows))
    )
    ratings[0] = 5.0
    kept = filter_interactions(interactions(rows, ratings), threshold=3, k_core=1)
    assert sorted(set(kept.users.tolist())) == list(range(kept.n_users))
    assert sorted(set(kept.items.tolist())) == list(range(kept.n_items))
    liked = {row for row, rating in zip(rows, ratings, strict=True) if rating == 5}
    assert sorted(raw(kept)) == sorted((f"u{user}", 100 + item) for user, item in liked)


def test_a_threshold_needs_ratings() -> None:
    with pytest.raises(UserError, match=r"data\.threshold=4 needs ratings"):
        filter_interactions(interactions([(0, 0)]), threshold=4, k_core=1)


def test_nothing_left_names_the_options() -> None:
    data = interactions([(0, 0), (1, 1)], ratings=[5, 1])
    with pytest.raises(UserError, match=r"data\.threshold=4 and data\.k_core=2"):
        filter_interactions(data, threshold=4, k_core=2)

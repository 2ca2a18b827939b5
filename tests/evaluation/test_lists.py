from __future__ import annotations

from itertools import combinations
from math import log2, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from torch import Tensor

from src.evaluation.lists import RecommendedLists, list_metrics


def measure(
    lists: Tensor, popularity: Tensor, n_users: int, ks: list[int], vectors: Tensor | None
) -> dict[str, float]:
    return list_metrics(RecommendedLists(lists, popularity, n_users, vectors), ks)


LISTS = torch.tensor([[0, 1], [0, 2], [1, 0]])
POPULARITY = torch.tensor([8, 4, 0, 2])
VECTORS = torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0], [7.0, 7.0]])


def test_known_lists() -> None:
    found = measure(LISTS, POPULARITY, n_users=8, ks=[1, 2], vectors=VECTORS)
    # first places: item 0 twice and item 1 once; in all: 3, 2 and 1 times, item 3 never
    assert found == {
        "coverage@1": 2 / 4,
        "gini@1": pytest.approx((1 * 1 + 3 * 2) / (3 * 3)),
        "popularity@1": pytest.approx((8 + 8 + 4) / 3),
        "novelty@1": pytest.approx((0 + 0 + 1) / 3),
        "personalization@1": pytest.approx(1 - 1 / 3),
        "ild-euclidean@1": 0,
        "ild-cosine@1": 0,
        "coverage@2": 3 / 4,
        "gini@2": pytest.approx((-1 * 1 + 1 * 2 + 3 * 3) / (3 * 6)),
        "popularity@2": pytest.approx((3 * 8 + 2 * 4 + 0) / 6),
        # item 2 has no interactions and counts as having one
        "novelty@2": pytest.approx((3 * 0 + 2 * 1 + 1 * 3) / 6),
        # users 0 and 2 share both, user 1 shares one with each
        "personalization@2": pytest.approx(1 - (2 + 1 + 1) / 3 / 2),
        "ild-euclidean@2": pytest.approx((5 + 3 + 5) / 3),
        # a right angle, or a vector of length 0
        "ild-cosine@2": pytest.approx(1),
    }
    assert all(isinstance(value, float) for value in found.values())


def test_without_vectors_there_is_no_diversity() -> None:
    found = measure(LISTS, POPULARITY, 8, [2], None)
    assert set(found) == {
        f"{name}@2" for name in ("coverage", "gini", "popularity", "novelty", "personalization")
    }


def test_only_cutoffs_within_the_lists() -> None:
    names = measure(LISTS, POPULARITY, 8, [1, 2, 10], VECTORS)
    assert {name.split("@")[1] for name in names} == {"1", "2"}


def test_an_empty_slot_counts_as_nothing() -> None:
    lists = torch.tensor([[0, 1, 3], [1, -1, -1], [-1, -1, -1]])
    found = measure(lists, POPULARITY, 8, [3], VECTORS)
    # items 0, 1 and 3: 1, 2 and 1 times
    assert found == {
        "coverage@3": 3 / 4,
        "gini@3": pytest.approx((-1 + 1 + 3 * 2) / (3 * 4)),
        "popularity@3": pytest.approx((8 + 2 * 4 + 2) / 4),
        "novelty@3": pytest.approx((0 + 2 * 1 + 2) / 4),
        "personalization@3": pytest.approx(1 - 1 / 3 / 3),
        # users with one item or none have lists without any distance
        "ild-euclidean@3": pytest.approx((5 + sqrt(16 + 49) + sqrt(49 + 9)) / 3 / 3),
        "ild-cosine@3": pytest.approx((1 + 2 * (1 - sqrt(0.5))) / 3 / 3),
    }


def test_nothing_recommended_at_all() -> None:
    found = measure(torch.full((3, 2), -1), POPULARITY, 8, [1, 2], VECTORS)
    assert {name: value for name, value in found.items() if value} == {
        "personalization@1": 1,
        "personalization@2": 1,
    }


def test_one_user_shares_nothing_with_anybody() -> None:
    found = measure(LISTS[:1], POPULARITY, 8, [2], None)
    assert found["personalization@2"] == 1


def test_a_catalogue_of_one_item() -> None:
    found = measure(torch.zeros(2, 1).long(), torch.tensor([5]), 8, [1], torch.ones(1, 3))
    assert (found["coverage@1"], found["gini@1"], found["personalization@1"]) == (1, 0, 0)


def test_the_same_list_for_everybody_and_a_different_one_for_each() -> None:
    same = measure(torch.tensor([[0], [0], [0]]), POPULARITY, 8, [1], None)
    assert (same["gini@1"], same["personalization@1"], same["coverage@1"]) == (1, 0, 1 / 4)
    other = measure(torch.tensor([[0, 1], [2, 3]]), POPULARITY, 8, [2], None)
    assert (other["gini@2"], other["personalization@2"], other["coverage@2"]) == (0, 1, 1)


def test_equal_vectors_are_no_diversity() -> None:
    found = measure(LISTS, POPULARITY, 8, [2], torch.full((4, 3), 0.1))
    assert found["ild-euclidean@2"] == 0
    assert found["ild-cosine@2"] == pytest.approx(0, abs=1e-12)


N_ITEMS = 12


def random_lists(n_users: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    lists = torch.rand(n_users, N_ITEMS, generator=generator).argsort(1)[:, :6]
    lists[::3, 4:] = -1
    popularity = torch.randint(0, 50, (N_ITEMS,), generator=generator)
    return lists, popularity, torch.randn(N_ITEMS, 5, generator=generator)


def test_diversity_is_the_mean_of_scipy_s_distances() -> None:
    lists, popularity, vectors = random_lists(10)
    found = measure(lists, popularity, 50, [2, 3, 6], vectors)
    for k in (2, 3, 6):
        rows = [vectors[row[row >= 0]].double().numpy() for row in lists[:, :k]]
        for name in ("euclidean", "cosine"):
            expected = np.mean([pdist(row, name).mean() for row in rows])
            assert found[f"ild-{name}@{k}"] == pytest.approx(expected, abs=1e-12)


def test_diversity_is_the_same_in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, popularity, vectors = random_lists(10)
    whole = measure(lists, popularity, 50, [3, 6], vectors)
    monkeypatch.setattr("src.evaluation.lists.NUMBERS_PER_CHUNK", 3 * 6 * (6 + 5))
    assert measure(lists, popularity, 50, [3, 6], vectors) == pytest.approx(whole, abs=1e-12)


rows = st.lists(
    st.lists(st.integers(0, 7), min_size=3, max_size=3, unique=True), min_size=1, max_size=12
)


@settings(deadline=None)
@given(rows, st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_definitions_pair_by_pair(lists: list[list[int]], popularity: list[int]) -> None:
    found = measure(torch.tensor(lists), torch.tensor(popularity), 20, [1, 3], None)
    for k in (1, 3):
        shown = [row[:k] for row in lists]
        items = [item for row in shown for item in row]
        times = [items.count(item) for item in range(8)]
        differences = sum(abs(a - b) for a in times for b in times)
        # half the relative mean absolute difference, over pairs of two items
        assert found[f"gini@{k}"] == pytest.approx(differences / (2 * 7 * sum(times)))
        overlaps = [len(set(a) & set(b)) / k for a, b in combinations(shown, 2)]
        expected = 1 - (sum(overlaps) / len(overlaps) if overlaps else 0)
        assert found[f"personalization@{k}"] == pytest.approx(expected)
        assert found[f"coverage@{k}"] == len(set(items)) / 8
        counts = [popularity[item] for item in items]
        assert found[f"popularity@{k}"] == pytest.approx(sum(counts) / len(items))
        information = [-log2(max(count, 1) / 20) for count in counts]
        assert found[f"novelty@{k}"] == pytest.approx(sum(information) / len(items))

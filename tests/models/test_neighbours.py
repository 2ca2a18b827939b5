"""ItemKNN, UserKNN and RP3beta: the contract, scores by hand, cross-checks with dense formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix
from src.models.fitted import Fitted
from src.models.neighbours import (
    BM25_B,
    BM25_K1,
    ItemKNN,
    RP3beta,
    UserKNN,
    find_cosine_neighbours,
    weight_entries,
)
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.data.fakes import interactions

# users 0-2, items 0-3
SMALL = interactions([[0, 1], [0, 1, 2], [2]], 4)


class TestItemKNN(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> ItemKNN:
        return ItemKNN(n_users, n_items, topk=4)


class TestItemKNNWithBM25(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> ItemKNN:
        return ItemKNN(n_users, n_items, weighting="bm25", shrink=1.0)


class TestUserKNN(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> UserKNN:
        return UserKNN(n_users, n_items, topk=4)


class TestUserKNNInReverse(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> UserKNN:
        return UserKNN(n_users, n_items, topk=4, reverse=True)


class TestRP3beta(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> RP3beta:
        return RP3beta(n_users, n_items)


def random_interactions(n_users: int, n_items: int, density: float) -> Interactions:
    chosen = np.random.default_rng(0).random((n_users, n_items)) < density
    return interactions([np.flatnonzero(row).tolist() for row in chosen], n_items)


def scores(model: Fitted, train: Interactions) -> np.ndarray:
    model.fit(train)
    return model.score_all(torch.arange(train.n_users)).numpy()


def test_item_knn_by_hand() -> None:
    # items 0 and 1 have users 0 and 1, item 2 has users 1 and 2: 2 / (2 + 1) and 1 / (2 + 1)
    found = scores(ItemKNN(3, 4, topk=10, shrink=1.0), SMALL)
    same, other = 2 / 3, 1 / 3
    assert found[0] == pytest.approx([same, same, 2 * other, 0])
    assert found[2] == pytest.approx([other, other, 0, 0])


def test_user_knn_by_hand() -> None:
    # user 1 shares two items with user 0 and one with user 2; |u| = sqrt(2), sqrt(3), 1
    found = scores(UserKNN(3, 4, topk=1, shrink=0.0), SMALL)
    near, far = 2 / 6**0.5, 1 / 3**0.5
    assert found[0] == pytest.approx([near, near, near, 0])
    assert found[1] == pytest.approx([near, near, 0, 0])  # user 0 is its one neighbour
    assert found[2] == pytest.approx([far, far, far, 0])


def test_user_knn_in_reverse_by_hand() -> None:
    # user 0 has user 1 as its neighbour, user 1 has user 0, user 2 has user 1: nobody has user 2
    found = scores(UserKNN(3, 4, topk=1, shrink=0.0, reverse=True), SMALL)
    near, far = 2 / 6**0.5, 1 / 3**0.5
    assert found[0] == pytest.approx([near, near, near, 0])
    assert found[1] == pytest.approx([near, near, far, 0])
    assert found[2].tolist() == [0, 0, 0, 0]


def test_rp3beta_by_hand() -> None:
    # from item 2: to users 1 and 2 with 1/2 each, from user 1 on to items 0 and 1 with 1/3 each;
    # each has popularity 2
    weight = (1 / 2 * 1 / 3) ** 2 / 2**0.5
    found = scores(RP3beta(3, 4, alpha=2.0, beta=0.5, normalize=False), SMALL)
    assert found[2] == pytest.approx([weight, weight, 0, 0])
    # the same scaled to sum to 1
    assert scores(RP3beta(3, 4, alpha=2.0, beta=0.5), SMALL)[2] == pytest.approx([0.5, 0.5, 0, 0])


def test_rp3beta_is_its_dense_formula() -> None:
    train = random_interactions(30, 20, 0.5)
    dense = interaction_matrix(train).toarray().astype(float)
    to_items = dense / dense.sum(1, keepdims=True)
    to_users = (dense / dense.sum(0)).T
    weights = to_users**0.7 @ to_items**0.7 / dense.sum(0) ** 0.4
    np.fill_diagonal(weights, 0)
    smallest_kept = np.sort(weights, 1)[:, -6][:, None]
    weights[weights < smallest_kept] = 0
    weights /= weights.sum(1, keepdims=True)
    weights[weights < np.sort(weights, 0)[-6]] = 0
    found = scores(RP3beta(30, 20, topk=6, alpha=0.7, beta=0.4), train)
    np.testing.assert_allclose(found, dense @ weights, rtol=1e-5)


def test_without_shrinkage_it_is_the_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = interaction_matrix(random_interactions(25, 30, 0.2))
    expected = cosine_similarity(matrix.toarray())
    np.fill_diagonal(expected, 0)
    for entries in (1 << 24, 60):  # in one block, and in blocks of two rows
        monkeypatch.setattr("src.data.sparse.ENTRIES_PER_BLOCK", entries)
        found = find_cosine_neighbours(matrix, topk=25, shrink=0.0).toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_only_the_most_similar_stay() -> None:
    matrix = interaction_matrix(random_interactions(25, 30, 0.3))
    everyone = find_cosine_neighbours(matrix, topk=25, shrink=3.0).toarray()
    found = find_cosine_neighbours(matrix, topk=4, shrink=3.0).toarray()
    for row, kept in zip(everyone, found, strict=True):
        np.testing.assert_array_equal(np.sort(kept[kept > 0]), np.sort(row)[-4:])
        np.testing.assert_array_equal(kept[kept > 0], row[kept > 0])


def test_weighting_by_its_formula() -> None:
    # 3 rows; columns with 2, 2, 2 and 0 of them
    matrix = interaction_matrix(SMALL)
    rare = np.log(3 / 3)
    assert weight_entries(matrix, "none") is matrix
    assert weight_entries(matrix, "tfidf").data.tolist() == [rare] * 6
    # 4 rows; columns with 1, 2 and 4 of them; rows of 3, 2, 1 and 1
    matrix = interaction_matrix(interactions([[0, 1, 2], [1, 2], [2], [2]], 3))
    idf = np.log([4 / 2, 4 / 3, 1])  # the last would be negative: it has every row
    np.testing.assert_allclose(
        weight_entries(matrix, "tfidf").toarray(), matrix.toarray() * idf, rtol=1e-6
    )
    length = BM25_K1 * (1 - BM25_B + BM25_B * np.array([3, 2, 1, 1]) / 1.75)
    np.testing.assert_allclose(
        weight_entries(matrix, "bm25").toarray(),
        matrix.toarray() * idf * ((BM25_K1 + 1) / (length + 1))[:, None],
        rtol=1e-6,
    )
    assert (matrix.data == 1).all()


def test_repeated_interactions_count_once() -> None:
    once = interactions([[0, 1], [1, 2]], 3)
    twice = interactions([[0, 1, 0], [1, 2, 2]], 3)
    np.testing.assert_array_equal(scores(ItemKNN(2, 3), once), scores(ItemKNN(2, 3), twice))

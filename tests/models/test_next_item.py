"""Models of the order: what came after what, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from src.data.interactions import UNKNOWN_TIME, Interactions
from src.errors import UserError
from src.models import EASE, SLIST, Markov, NextItemRidge, RecentEASE, Recommender
from src.models.next_item import NextItem
from src.models.recency import LastItems, order_by_time
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract, make_interactions


def timed(rows: list[list[int]], n_items: int) -> Interactions:
    """Users with these items, in the order of time."""
    data = make_interactions(rows, n_items)
    return replace(data, timestamps=np.arange(len(data)))


class Timed:
    """Gives the contract's data times, in the order of its lines."""

    def fit(self, train: Interactions) -> None:
        super().fit(replace(train, timestamps=np.arange(len(train))))  # type: ignore[misc]


class TimedMarkov(Timed, Markov):
    """A chain on the contract's data."""


class TimedRidge(Timed, NextItemRidge):
    """A ridge on the contract's data."""


class TimedSLIST(Timed, SLIST):
    """SLIST on the contract's data."""


class TimedRecentEASE(Timed, RecentEASE):
    """EASE by recency on the contract's data."""


class TestMarkov(RecommenderContract):
    learns = False  # a checkerboard has no order

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        return TimedMarkov(n_users, n_items, shrink=1.0)


class TestNextItemRidge(RecommenderContract):
    learns = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        return TimedRidge(n_users, n_items, regularization=1.0)


class TestSLIST(RecommenderContract):
    learns = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        return TimedSLIST(n_users, n_items, regularization=1.0)


class TestRecentEASE(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Recommender:
        return TimedRecentEASE(n_users, n_items, regularization=1.0)


def test_the_order_of_time_is_not_that_of_lines() -> None:
    data = make_interactions([[0, 1, 2], [2, 1], [0]], 3)
    times = np.array([9, 3, 3, 5, 4, UNKNOWN_TIME])
    users, items = order_by_time(replace(data, timestamps=times))
    # of equal times the later line is later; user 2 has no times
    assert users.tolist() == [0, 0, 0, 1, 1]
    assert items.tolist() == [1, 2, 0, 1, 2]
    with pytest.raises(UserError, match="nobody has times here"):
        order_by_time(replace(data, timestamps=None))


def test_the_last_items() -> None:
    last = LastItems(3, 4, 2)
    last.observe(timed([[0, 1, 2], [3], []], 4))
    assert last.items.tolist() == [[2, 1], [3, 4], [4, 4]]
    rows = last.weigh(torch.tensor([0, 2, 1]), torch.tensor([1.0, 0.5]))
    assert rows.tolist() == [[0, 0.5, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_a_chain_by_hand() -> None:
    model = Markov(2, 3, last=2, decay=0.5, shrink=1.0)
    model.fit(timed([[0, 1, 2], [0, 1]], 3))
    # 0 was followed by 1 twice, 1 by 2 once
    third, half = 2 / 3, 1 / 2
    assert model.weights.tolist() == [[0, pytest.approx(third), 0], [0, 0, half], [0, 0, 0]]
    # user 1 ended with 1, and had 0 before
    expected = [0, 0.5 * third, half]
    assert model.score_all(torch.tensor([1]))[0].tolist() == pytest.approx(expected)


def ridge(left: np.ndarray, right: np.ndarray, regularization: float) -> np.ndarray:
    return np.linalg.solve(left.T @ left + regularization * np.eye(left.shape[1]), left.T @ right)


def weights_of(model: NextItem, rows: list[list[int]]) -> list[list[float]]:
    model.fit(timed(rows, model.n_items))
    return model.weights.numpy()


def test_a_ridge_by_hand() -> None:
    model = NextItemRidge(2, 3, last=2, decay=0.5, regularization=2.0)
    past = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0, 0, 0], [0, 0, 1]], float)
    following = np.eye(3)[[0, 1, 2, 2, 0]]
    found = weights_of(model, [[0, 1, 2], [2, 0]])
    np.testing.assert_allclose(found, ridge(past, following, 2.0), atol=1e-6)


def test_slist_by_hand() -> None:
    model = SLIST(1, 3, decay=0.5, alpha=0.25, regularization=1.0, reach=2)
    past = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1, 0]], float)
    future = np.array([[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]], float)
    session = np.ones((1, 3))
    left = np.vstack([0.5 * session, 0.75**0.5 * past])
    right = np.vstack([0.5 * session, 0.75**0.5 * future])
    found = weights_of(model, [[0, 1, 2]])
    np.testing.assert_allclose(found, ridge(left, right, 1.0), atol=1e-6)


def test_recent_items_count_more() -> None:
    train = timed([[0, 1], [1, 2]], 3)
    plain, recent = EASE(2, 3, 1.0), RecentEASE(2, 3, 1.0, last=1, boost=3.0)
    plain.fit(train)
    recent.fit(train)
    users = torch.tensor([0])
    expected = plain.score_all(users) + 2 * plain.item_weights[1]
    torch.testing.assert_close(recent.score_all(users), expected)

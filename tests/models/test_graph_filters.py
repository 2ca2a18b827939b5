"""GF-CF and Turbo-CF: the contract, and scores by their papers' own formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src.models.graph_filters import GFCF, TurboCF
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.data.fakes import interactions


class TestGFCF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GFCF:
        return GFCF(n_users, n_items, factors=2)


class TestTurboCF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> TurboCF:
        return TurboCF(n_users, n_items, alpha=0.6, power=0.7)


# Users have 2, 2 and 3 items; items have 3, 2, 1 and 1 users
SEEN = [[0, 1], [0, 2], [0, 1, 3]]
TRAIN = interactions(SEEN, 4)
R = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1]], float)
D_USERS, D_ITEMS = R.sum(1), R.sum(0)


def test_gfcf_adds_an_ideal_low_pass_filter_to_a_linear_one() -> None:
    torch.manual_seed(0)
    model = GFCF(3, 4, factors=2, ideal_weight=0.5)
    model.fit(TRAIN)
    normalized = R / np.sqrt(np.outer(D_USERS, D_ITEMS))
    vectors = np.linalg.svd(normalized)[2][:2].T
    ideal = np.diag(D_ITEMS**-0.5) @ vectors @ vectors.T @ np.diag(D_ITEMS**0.5)
    expected = R @ (normalized.T @ normalized + 0.5 * ideal)
    np.testing.assert_allclose(model.score_all(torch.arange(3)), expected, atol=1e-5)


@pytest.mark.parametrize("filter", ["linear", "quadratic"])
def test_turbocf_is_a_polynomial_of_the_graph(filter: str) -> None:
    model = TurboCF(3, 4, alpha=0.3, power=0.7, filter=filter)
    model.fit(TRAIN)
    normalized = R / np.outer(D_USERS**0.3, D_ITEMS**0.7)
    p = (normalized.T @ normalized) ** 0.7
    filters = {"linear": p, "quadratic": 2 * p - p @ p}
    np.testing.assert_allclose(model.score_all(torch.arange(3)), R @ filters[filter], atol=1e-5)


def test_one_item_is_as_near_to_others_as_its_row_says() -> None:
    model = TurboCF(3, 4)
    model.fit(TRAIN)
    # with items 0 and 1, which have 3 and 2 users, item 3 shares user 2, who has 3 items
    expected = [1 / (3 * 3**0.5), 1 / (3 * 2**0.5), 0.0, 1 / 3]
    torch.testing.assert_close(model.similar_to(3), torch.tensor(expected))
    torch.testing.assert_close(model.fold_in(torch.tensor([3])), torch.tensor(expected))

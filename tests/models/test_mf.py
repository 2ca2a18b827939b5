"""Matrix factorization and SVD++: the contract and hand-computed scores."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.errors import UserError
from src.models import Recommender
from src.models.mf import MF, SVDpp
from src.models.ncf import as_gmf
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from src.training.losses import BPR
from tests.data.fakes import interactions


class TestMF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MF:
        return MF(n_users, n_items, factors=4)


class TestMFWithoutBiases(RecommenderContract):
    loss = BPR()

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MF:
        return MF(n_users, n_items, factors=4, biases=False)


class TestMFDiscounted(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MF:
        return MF(n_users, n_items, factors=4, popularity_discount=0.2)


class TestSVDpp(RecommenderContract):
    def test_squared_norms_are_means_over_examples(self, model: Recommender) -> None:
        assert isinstance(model, SVDpp)
        users, items = torch.tensor([0, 1]), torch.tensor([[0, 1, 2], [3, 3, 4]])
        # user 0 did items 0, 1 and 2, user 1 items 1 and 3
        norms = model.implicit.square().sum(1)
        implicit = (norms[[0, 1, 2]].sum() + norms[[1, 3]].sum()) / 2
        expected = MF.squared_norms(model, users, items) + implicit
        torch.testing.assert_close(model.squared_norms(users, items), expected)

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> SVDpp:
        return SVDpp(n_users, n_items, factors=4)


# users 0 and 1, items 0, 1 and 2: two factors, then the bias
TABLE = [[1.0, 2.0, 0.5], [0.0, -1.0, 0.0], [3.0, 1.0, -1.0], [0.5, 0.5, 2.0], [1.0, 0.0, 0.0]]


def test_mf_by_hand() -> None:
    model = MF(2, 3, factors=2)
    model.load_state_dict({"table.weight": torch.tensor(TABLE), "bias": torch.tensor(0.25)})
    # user 0 with item 0: 1*3 + 2*1 + .5 - 1 + .25; with item 1: .5 + 1 + .5 + 2 + .25
    assert model.score_all(torch.tensor([0])).tolist() == [[4.75, 4.25, 1.75]]


def test_mf_without_biases_is_the_product() -> None:
    model = MF(2, 3, factors=3, biases=False)
    model.load_state_dict({"table.weight": torch.tensor(TABLE)})
    assert model.score_all(torch.tensor([0])).tolist() == [[4.5, 2.5, 1.0]]


def test_as_gmf_scores_the_same() -> None:
    model = MF(2, 3, factors=3, biases=False)
    torch.testing.assert_close(
        as_gmf(model).score_all(torch.arange(2)), model.score_all(torch.arange(2))
    )
    with pytest.raises(UserError, match="biases=false"):
        as_gmf(MF(2, 3, factors=3))


def test_svdpp_by_hand() -> None:
    model = SVDpp(2, 3, factors=2)
    with torch.no_grad():
        model.table.weight.copy_(torch.tensor(TABLE))
        model.bias.fill_(0.25)
        model.implicit.copy_(torch.tensor([[2.0, 0.0], [2.0, 4.0], [9.0, 9.0]]))
    # user 0 did items 0 and 1, user 1 none
    model.observe(interactions([[0, 1], []], 3))
    user = [1 + 4 / 2**0.5, 2 + 4 / 2**0.5]
    expected = [3 * user[0] + user[1] - 0.25, 0.5 * sum(user) + 2.75, user[0] + 0.75]
    assert model.score_all(torch.tensor([0, 1]))[0].tolist() == pytest.approx(expected)
    assert model(torch.tensor([1]), torch.tensor([0])).item() == -1.75


@pytest.mark.parametrize("kind", [MF, SVDpp])
def test_on_ratings_the_bias_starts_at_their_mean(kind: type[MF]) -> None:
    train = interactions([[0, 1], [2]], 3)
    model = kind(2, 3, factors=2)
    model.observe(train)
    assert model.bias.item() == 0
    model.observe(replace(train, ratings=np.array([1.0, 4.0, 4.0], np.float32)))
    assert model.bias.item() == 3


def test_popularity_is_taken_from_scores_after_training() -> None:
    torch.manual_seed(0)
    model = MF(3, 3, factors=2, popularity_discount=0.5)
    # item 0 has two interactions, items 1 and 2 one and none
    model.observe(interactions([[0, 1], [0], []], 3))
    users, items = torch.tensor([0, 2]), torch.tensor([[0, 1, 2], [2, 1, 0]])
    plain = model.train().score_all(torch.arange(3))
    discounted = plain - torch.tensor([0.5 * math.log(2), 0.0, 0.0])
    torch.testing.assert_close(model.eval().score_all(torch.arange(3)), discounted)
    expected = discounted[users[:, None], items]
    torch.testing.assert_close(model(users, items), expected)
    torch.testing.assert_close(model.score_candidates(users, items), expected)
    torch.testing.assert_close(model.train()(users, items), plain[users[:, None], items])
    folded = model.train().fold_in(torch.tensor([1])) - model.eval().fold_in(torch.tensor([1]))
    torch.testing.assert_close(folded, torch.tensor([0.5 * math.log(2), 0.0, 0.0]))


def test_norms_are_the_same_where_rows_are_read_often() -> None:
    torch.manual_seed(0)
    model = MF(2, 2, factors=3)
    users, items = torch.tensor([0, 1, 1, 1]), torch.tensor([[0], [1], [0], [0]])
    expected = model.user_rows(users).square().sum() / 4 + model.item_rows(items).square().sum() / 4
    torch.testing.assert_close(model.squared_norms(users, items), expected)


def test_sparse_gradients_are_the_dense_ones() -> None:
    gradients = []
    for sparse in (False, True):
        torch.manual_seed(0)
        model = MF(4, 5, factors=2, sparse=sparse)
        assert model.explicit is not sparse
        model(torch.tensor([2, 2]), torch.tensor([1, 3])).square().sum().backward()
        gradients.append(model.table.weight.grad)
    assert gradients[1].is_sparse
    assert gradients[1].coalesce().indices()[0].tolist() == [2, 4 + 1, 4 + 3]
    torch.testing.assert_close(gradients[1].to_dense(), gradients[0])

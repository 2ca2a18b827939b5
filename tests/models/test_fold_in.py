"""Somebody who was not in training, known by items: each model's answer against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from src.errors import UserError
from src.models import (
    EASE,
    GMF,
    IALS,
    MF,
    NMF,
    SLIM,
    Fitted,
    ItemKNN,
    ItemPop,
    LightGCN,
    NeuMF,
    PureSVD,
    RP3beta,
    SVDpp,
    UserKNN,
)
from tests.data.fakes import interactions

SEEN = [[0, 1], [0, 1, 2], [2, 3], [1, 3, 4], [4, 0], [2, 4, 5]]
TRAIN = interactions(SEEN, 6)


def fitted(model: Fitted) -> Fitted:
    torch.manual_seed(0)
    for _ in range(8 if model.iterative else 1):
        model.fit(TRAIN)
    return model


@pytest.mark.parametrize(
    "model",
    [
        ItemKNN(6, 6, topk=3, shrink=1.0, weighting="tfidf"),
        RP3beta(6, 6, topk=4),
        SLIM(6, 6, l1=0.01, regularization=1.0, penalty=1.0),
        EASE(6, 6, regularization=2.0),
        PureSVD(6, 6, factors=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_training_user_s_items_give_that_user_s_scores(model: Fitted) -> None:
    fitted(model)
    expected = model.score_all(torch.arange(6))
    for user, items in enumerate(SEEN):
        found = model.fold_in(torch.tensor(items))
        torch.testing.assert_close(found, expected[user], atol=1e-5, rtol=1e-5)


def test_ials_solves_the_user_s_least_squares() -> None:
    model = IALS(6, 6, factors=3, regularization=0.1, unobserved_weight=0.5)
    fitted(model)
    found, items = model.fold_in(torch.tensor([1, 4])), model.item_factors.double().numpy()
    own = items[[1, 4]]
    ridge = 0.1 * (2 + 0.5 * 6)
    normal = own.T @ own + 0.5 * items.T @ items + ridge * np.eye(3)
    user = np.linalg.solve(normal, own.sum(0))
    np.testing.assert_allclose(found.numpy(), items @ user, atol=1e-5)


def test_nmf_finds_factors_that_are_not_negative() -> None:
    model = NMF(6, 6, factors=2)
    fitted(model)
    items = model.item_factors.double().numpy()
    target = np.zeros(6)
    target[[1, 4]] = 1
    found = model.fold_in(torch.tensor([1, 4])).double().numpy()
    # no other such factors come nearer: a grid around them
    grid = np.stack(np.meshgrid(*[np.linspace(0, 3, 301)] * 2), -1).reshape(-1, 2)
    nearest = ((grid @ items.T - target) ** 2).sum(1).min()
    assert ((found - target) ** 2).sum() <= nearest + 1e-4


def test_nmf_of_ratings_needs_ratings() -> None:
    model = NMF(6, 6, factors=2)
    model.store(mean=torch.tensor(3.5))
    with pytest.raises(UserError, match="NMF of ratings needs ratings"):
        model.fold_in(torch.tensor([1]))


def test_userknn_lets_the_most_similar_users_vote() -> None:
    model = UserKNN(6, 6, topk=2)
    fitted(model)
    # cosines of items 1 and 3 with each user's: users 3 (2/sqrt(6)), then 0 and 2 (1/2): 0 is first
    expected = torch.zeros(6)
    expected[[1, 3, 4]] += 2 / 6**0.5
    expected[[0, 1]] += 0.5
    torch.testing.assert_close(model.fold_in(torch.tensor([1, 3])), expected)


def test_itempop_recommends_everybody_the_same() -> None:
    model = ItemPop(6, 6)
    fitted(model)
    assert model.fold_in(torch.tensor([5])).tolist() == [3, 3, 3, 2, 3, 1]


def test_svdpp_takes_the_items_own_vectors() -> None:
    torch.manual_seed(0)
    model = SVDpp(6, 6, factors=2)
    torch.nn.init.normal_(model.table.weight)
    items = model.table.weight[6:].detach()
    user = (model.implicit[1] + model.implicit[3]).detach() / 2**0.5
    expected = items[:, :2] @ user + items[:, 2] + model.bias.detach()
    found: Tensor = model.fold_in(torch.tensor([1, 3])).detach()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("biases", [True, False])
def test_mf_takes_the_mean_of_the_items_factors(biases: bool) -> None:
    model = MF(6, 3, factors=2, biases=biases)
    rows = torch.tensor([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0], [1.0, 1.0, -1.0]])
    with torch.no_grad():
        model.table.weight[6:] = rows[:, : 2 + biases]
        if biases:
            model.bias.fill_(0.25)
    # the mean of items 0 and 1 is (.5, 1)
    expected = [1.25, 2.25, 0.75] if biases else [0.5, 2.0, 1.5]
    assert model.fold_in(torch.tensor([0, 1])).tolist() == expected


@pytest.mark.parametrize("kind", [GMF, NeuMF, LightGCN])
def test_who_knows_users_by_id_alone_says_so(kind: type) -> None:
    with pytest.raises(UserError, match=f"{kind.__name__} scores users whom it was trained with"):
        kind(6, 6).fold_in(torch.tensor([1]))

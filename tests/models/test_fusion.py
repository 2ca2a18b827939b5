"""Models side by side: what is added up, and how the weights are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.data.slices import ItemsByUser
from src.errors import UserError
from src.models import EASE, Fusion, ItemKNN, ItemPop, Lateness, Recommender
from src.models.fusion_weights import choose_weights
from src.models.testing import (
    N_ITEMS,
    N_USERS,
    RecommenderContract,
    make_interactions,
    prepare,
    train_part,
)

SEED = 3  # one with which every item differs


def fitted(model: Recommender) -> Recommender:
    prepare(model, train_part(model.n_users, model.n_items))
    return model


class Joined(Fusion):
    """One whose parts are fitted with it, as no run does, to meet the contract at any size."""

    def __init__(self, n_users: int, n_items: int) -> None:
        ease = {"_target_": "src.models.EASE", "regularization": 1.0}
        super().__init__(n_users, n_items, "z", [ease, {"_target_": "src.models.ItemPop"}])

    def fit(self, train: Interactions) -> None:
        for branch in self.branches:
            prepare(branch, train)  # type: ignore[arg-type]
        super().fit(train)
        self.store(weights=torch.tensor([1.0, 0.1, 0.0], dtype=torch.float64))


class TestFusion(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Fusion:
        return Joined(n_users, n_items)


class Written(Recommender):
    """Scores that are given."""

    def __init__(self, n_users: int, n_items: int, scores: list[list[float]]) -> None:
        super().__init__(n_users, n_items)
        self.register_buffer("scores", torch.tensor(scores))

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        return self.scores[users, items]  # type: ignore[index]


def test_the_sum_by_hand() -> None:
    train = make_interactions([[0], [1, 2]], 3)
    model = Fusion(2, 3, scale="log")
    model.start_from(
        {"a": Written(2, 3, [[1, 2, 3], [4, 5, 6]]), "b": Written(2, 3, [[1, 0, 0]] * 2)}
    )
    model.fit(train)
    model.store(weights=torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64))
    log_two = np.log(2)  # each item was had once
    expected = [[1.5, 2, 3], [4.5, 5, 6]]
    found = model.score_all(torch.tensor([0, 1]))
    torch.testing.assert_close(found, torch.tensor(expected) - 0.25 * float(log_two))


def test_z_is_over_the_items_that_are_new() -> None:
    train = make_interactions([[0]], 4)
    model = Fusion(1, 4, scale="z")
    model.start_from({"a": Written(1, 4, [[9.0, 1.0, 2.0, 3.0]])})
    model.fit(train)
    model.store(weights=torch.tensor([1.0, 0.0], dtype=torch.float64))
    sd = (2 / 3) ** 0.5
    assert model.score_all(torch.tensor([0]))[0, 1:].tolist() == pytest.approx([-1 / sd, 0, 1 / sd])


def test_the_better_part_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    n_users, n_items = 60, 40
    targets = torch.from_numpy(rng.integers(0, n_items, n_users))
    good = torch.from_numpy(rng.normal(size=(n_users, n_items))).float()
    good[torch.arange(n_users), targets] += 2
    bad = torch.from_numpy(rng.normal(size=(n_users, n_items))).float()
    ahead = [s - s.gather(1, targets[:, None]) for s in (bad, good)]
    left_out = torch.zeros(n_users, n_items, dtype=torch.bool)
    left_out[torch.arange(n_users), targets] = True

    def gain(before: Tensor, n: Tensor) -> Tensor:
        assert n.tolist() == [n_items - 1] * len(n)
        return (before < 5).double()

    choice = choose_weights(ahead, left_out, gain)
    assert choice.weights[0] == 1
    assert choice.gain > (ahead[0] >= 0).sum(1).le(5).double().mean() + 0.2
    assert choice.two_fold <= choice.gain + 0.05
    alone = choose_weights(ahead[:1], left_out, gain)
    assert alone.weights.tolist() == [1.0]


def test_it_chooses_on_validation() -> None:
    train, validation = train_part(N_USERS, N_ITEMS), make_interactions([[3], [0]], N_ITEMS)
    model = Fusion(N_USERS, N_ITEMS)
    with pytest.raises(UserError, match="needs trained models"):
        model.fit(train)
    model.start_from(
        {"knn": fitted(ItemKNN(N_USERS, N_ITEMS)), "ease": fitted(EASE(N_USERS, N_ITEMS))}
    )
    model.fit(train)
    pairs = [
        torch.from_numpy(np.concatenate(c).astype(np.int64))
        for c in ((train.users, validation.users), (train.items, validation.items))
    ]
    known = ItemsByUser(*pairs, N_USERS, N_ITEMS)
    choice = model.choose(validation, known, lambda before, _: 1.0 / (1 + before.double()))
    assert model.weights.tolist() == choice.weights.tolist()
    assert len(model.weights) == 3


def test_a_fusion_is_no_part_of_another() -> None:
    with pytest.raises(UserError, match=r"model\.pretrained\.1 is a fusion itself"):
        Fusion(2, 3).start_from({"1": Fusion(2, 3)})


def test_it_knows_what_its_parts_know() -> None:
    model = Fusion(2, 3)
    model.start_from({"1": ItemPop(2, 3)})
    assert model.knows == "pairs"
    model.start_from({"1": ItemPop(2, 3), "2": Lateness(2, 3)})
    assert model.knows == "times"


def timed(users: list[int], items: list[int], times: list[int]) -> Interactions:
    every = np.arange(3)
    return Interactions(
        np.array(users, np.int32), np.array(items, np.int32), every, every, None, np.array(times)
    )


class Timed(Lateness):
    """One that gives the contract's data times."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items, last=1, prior=1.0)

    def fit(self, train: Interactions) -> None:
        times = np.random.default_rng(SEED).permutation(len(train))
        super().fit(replace(train, timestamps=times))


class TestLateness(RecommenderContract):
    personal = learns = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Lateness:
        return Timed(n_users, n_items)


def test_lateness_by_hand() -> None:
    model = Lateness(3, 3, last=1, prior=1.0)
    # lines are in no order: user 0 ends with item 2, user 1 too; item 0 comes early
    model.fit(timed([0, 0, 1, 1], [2, 0, 0, 2], [9, 1, 3, 8]))
    # L = 0, 0, 2; E = 2 late ones times the share of 1/2, 0, 1/2
    expected = [np.log(1 / 2), np.log(1 / 1), np.log(3 / 2)]
    assert model.lateness.tolist() == pytest.approx(expected)
    with pytest.raises(UserError, match="nobody has times"):
        model.fit(replace(make_interactions([[0], [1]], 3), timestamps=None))

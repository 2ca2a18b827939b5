"""Most popular and random."""

from __future__ import annotations

import torch

from src.models.popularity import ItemPop, Random
from src.models.recommender import Recommender
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.data.fakes import interactions


class TestItemPop(RecommenderContract):
    personal = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> ItemPop:
        return ItemPop(n_users, n_items)

    def test_scores_differ_between_users_and_items(self, model: Recommender) -> None:
        # only by count; some of the contract's items have the same
        counts = torch.tensor([4.0, 4.0, 4.0, 3.0, 4.0]).double()
        assert torch.equal(model.score_all(torch.tensor([0, 6])), torch.stack([counts, counts]))


class TestRandom(RecommenderContract):
    learns = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Random:
        return Random(n_users, n_items)


def fitted(seed: int) -> Random:
    torch.manual_seed(seed)
    model = Random(300, 400)
    model.fit(interactions([[0]], 400))
    return model


def test_popularity_counts_interactions() -> None:
    model = ItemPop(3, 4)
    model.fit(interactions([[0, 2], [2], [2, 3]], 4))
    assert model.score_all(torch.tensor([1])).tolist() == [[1, 0, 3, 1]]


def test_random_scores_are_uniform_and_independent() -> None:
    scores = fitted(0).score_all(torch.arange(300))
    assert scores.min() >= 0
    assert scores.max() < 1
    # 120,000 draws: standard errors of .0008 for the mean, and of .003 for a correlation
    assert abs(scores.mean() - 0.5) < 0.004
    tenths = torch.histc(scores, 10, 0, 1) / scores.numel()
    assert (tenths - 0.1).abs().max() < 0.005
    flat = scores.flatten()
    for lag in (1, 400, 401):  # the next item, the next user, both
        assert abs(torch.corrcoef(torch.stack([flat[lag:], flat[:-lag]]))[0, 1]) < 0.015
    # next to no ties, which would count against targets
    assert len(flat.unique()) > 0.99 * len(flat)


def test_random_scores_follow_the_seed() -> None:
    users = torch.arange(300)
    one, again, other = (fitted(seed).score_all(users) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert abs(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) < 0.015

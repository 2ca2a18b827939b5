"""A model that derives from one of ours and overrides `score` is ranked and trained by its own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from src.models import EASE, GMF, MF, MLP, NeuMF, Recommender
from src.models.testing import N_ITEMS, N_USERS, prepare, train_part
from src.training.losses import BCE

KINDS: list[type[Recommender]] = [GMF, MLP, NeuMF, MF, EASE]


def derive(kind: type[Recommender]) -> type[Recommender]:
    """A subclass with the same weights whose scores are squared."""

    class Squared(kind):  # type: ignore[valid-type, misc]
        def score(self, users: Tensor, items: Tensor) -> Tensor:
            return super().score(users, items) ** 2

    return Squared


def pair(kind: type[Recommender]) -> tuple[Recommender, Recommender]:
    """A model of ours, and one derived from it, with the same weights."""
    torch.manual_seed(0)
    ours, derived = kind(N_USERS, N_ITEMS), derive(kind)(N_USERS, N_ITEMS)
    prepare(ours, train_part(N_USERS, N_ITEMS))
    # in double precision, so that only real differences show
    ours, derived = ours.double(), derived.double()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_()
    derived.load_state_dict(copy.deepcopy(ours.state_dict()))
    return ours.eval(), derived.eval()


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_ranked_by_its_own(kind: type[Recommender]) -> None:
    ours, derived = pair(kind)
    users = torch.arange(N_USERS)
    items = torch.arange(N_ITEMS).expand(N_USERS, N_ITEMS)
    theirs = ours.score_all(users) ** 2
    assert not torch.allclose(theirs, ours.score_all(users))
    torch.testing.assert_close(derived.score_all(users), theirs)
    torch.testing.assert_close(derived(users, items), theirs)
    torch.testing.assert_close(derived(users, items[:, 1]), theirs[:, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_written_gradients_are_put_aside(kind: type[Recommender]) -> None:
    ours, derived = pair(kind)
    assert ours.explicit == (kind is not EASE)
    assert not derived.explicit


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not EASE])
def test_trained_by_its_own(kind: type[Recommender]) -> None:
    ours, derived = pair(kind)
    users, items = torch.tensor([0, 3]), torch.tensor([[1, 4], [2, 0]])
    BCE()(ours(users, items) ** 2).backward()
    assert not derived.explicit
    assert derived.network() is None
    BCE()(derived(users, items)).backward()
    for mine, theirs in zip(derived.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_a_model_two_steps_away() -> None:
    class Further(derive(MF)):  # type: ignore[misc]
        """Inherits the score that was overridden."""

    model = Further(N_USERS, N_ITEMS)
    users = torch.arange(N_USERS)
    assert not model.explicit
    scores = model(users, torch.arange(N_ITEMS).expand(N_USERS, -1))
    torch.testing.assert_close(model.score_all(users), scores)


def test_one_that_writes_its_own_faster_ways_keeps_them() -> None:
    class Fast(MF):
        explicit = True

        def score(self, users: Tensor, items: Tensor) -> Tensor:
            return super().score(users, items)

        def score_all(self, users: Tensor) -> Tensor:
            return super().score_all(users) + 0

        def differentiate(self, *arguments: object, **more: object) -> Tensor:  # type: ignore[override]
            return super().differentiate(*arguments, **more)  # type: ignore[arg-type]

    assert Fast(N_USERS, N_ITEMS).explicit
    assert Fast.score_all is not Recommender.score_all


def test_what_score_rests_on_may_be_overridden_instead() -> None:
    # a score that calls other methods of its class is another score when these are overridden;
    # so are the inherited faster ways that call them too
    class Scaled(MF):
        def _user_factors(self, users: Tensor, rows: Tensor) -> Tensor:
            return 2 * super()._user_factors(users, rows)

    model = Scaled(N_USERS, N_ITEMS)
    assert model.network() is None
    users = torch.arange(N_USERS)
    scores = model(users, torch.arange(N_ITEMS).expand(N_USERS, -1))
    torch.testing.assert_close(model.score_all(users), scores)

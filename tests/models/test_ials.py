"""Implicit alternating least squares: the contract, and each step against its objective."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from src.models.ials import IALS
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.data.fakes import interactions


class TestIALS(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> IALS:
        return IALS(n_users, n_items, factors=3, regularization=0.01, unobserved_weight=0.1)


class TestIALSByActivity(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> IALS:
        return IALS(n_users, n_items, 3, 0.01, unobserved_weight=0.1, activity_power=0.6)


rng = np.random.default_rng(0)
CHOSEN = rng.random((20, 9)) < rng.random((20, 1))  # users with few items and with many
TRAIN = interactions([np.flatnonzero(row).tolist() for row in CHOSEN], 9)
OPTIONS = {"factors": 4, "regularization": 0.02, "unobserved_weight": 0.3}


def objective(users: Tensor, items: Tensor, nu: float, activity_power: float = 0.0) -> Tensor:
    """Compute the objective as the paper writes it: with every pair at once."""
    scores, chosen = users @ items.t(), torch.from_numpy(CHOSEN).double()
    unobserved = 0.3 * (chosen.sum(1).clamp(min=1) / chosen.sum(1).mean()) ** activity_power
    of_user = (chosen.sum(1) + unobserved * 9) ** nu
    of_item = (chosen.sum(0) + unobserved.sum()) ** nu
    return (
        (chosen * (scores - 1).square()).sum()
        + (unobserved[:, None] * scores.square()).sum()
        + 0.02 * (of_user[:, None] * users.square()).sum()
        + 0.02 * (of_item[:, None] * items.square()).sum()
    )


@pytest.mark.parametrize(("nu", "power"), [(1.0, 0.0), (0.5, 0.0), (0.0, 0.0), (0.5, 0.6)])
@pytest.mark.parametrize("floats", [1 << 20, 100])  # in one batch, and in many
def test_a_sweep_ends_where_items_cannot_be_better(
    nu: float, power: float, floats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.models.ials.FLOATS_PER_BATCH", floats)
    torch.manual_seed(0)
    model = IALS(20, 9, **OPTIONS, nu=nu, activity_power=power)
    first = model.item_factors.double()
    model.fit(TRAIN)
    users = model.user_factors.double().requires_grad_()
    items = model.item_factors.double().requires_grad_()
    (of_items,) = torch.autograd.grad(objective(users, items, nu, power), items)
    assert of_items.abs().max() < 1e-4
    # and the users were the best for the items before
    (of_users,) = torch.autograd.grad(objective(users, first, nu, power), users)
    assert of_users.abs().max() < 1e-4


def test_every_sweep_lowers_the_objective() -> None:
    torch.manual_seed(0)
    model = IALS(20, 9, **OPTIONS)
    values = []
    for _ in range(8):
        model.fit(TRAIN)
        values.append(objective(model.user_factors.double(), model.item_factors.double(), 1.0))
    assert values == sorted(values, reverse=True)


def test_the_first_factors_have_the_length_asked_for() -> None:
    torch.manual_seed(0)
    lengths = IALS(1, 2000, factors=100, init_std=0.5).item_factors.norm(dim=1)
    assert lengths.mean().item() == pytest.approx(0.5, rel=0.01)


def test_a_checkpoint_goes_on_with_the_next_sweep() -> None:
    torch.manual_seed(0)
    model = IALS(20, 9, **OPTIONS)
    model.fit(TRAIN)
    resumed = IALS(20, 9, **OPTIONS)
    resumed.load_state_dict(model.state_dict())
    model.fit(TRAIN)
    resumed.fit(TRAIN)
    users = torch.arange(20)
    assert torch.equal(resumed.score_all(users), model.score_all(users))

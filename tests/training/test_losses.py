from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from src.models.recommender import Loss
from src.training.losses import (
    BCE,
    BPR,
    MSE,
    WARP,
    BalancedBCE,
    FullSoftmax,
    Hinge,
    SampledSoftmax,
    Squared,
    is_rating_loss,
    is_user_loss,
)

LOGITS = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]]


def test_bce_by_hand() -> None:
    def log_sigmoid(x: float) -> float:
        return math.log(1 / (1 + math.exp(-x)))

    expected = -(
        log_sigmoid(2) + log_sigmoid(1) + log_sigmoid(-0.5)
        + log_sigmoid(0) + log_sigmoid(-3) + log_sigmoid(2)
    ) / 6  # fmt: skip
    assert BCE()(torch.tensor(LOGITS)).item() == pytest.approx(expected)


def test_bce_is_torchs() -> None:
    logits = torch.randn(50, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    expected = functional.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(BCE()(logits), expected)


def test_bce_of_extreme_logits_is_finite() -> None:
    assert BCE()(torch.tensor([[-1000.0, 1000.0]])).item() == pytest.approx(1000.0)
    assert BCE()(torch.tensor([[1000.0, -1000.0]])).item() == 0.0


def test_squared_by_hand() -> None:
    # positives: (2-1)^2 + (0-1)^2 = 2; negatives: 1 + .25 + 9 + 4 = 14.25
    assert Squared()(torch.tensor(LOGITS)).item() == pytest.approx((2 + 14.25) / 6)
    assert Squared(negative_weight=0.1)(torch.tensor(LOGITS)).item() == pytest.approx(3.425 / 6)


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def test_balanced_bce_by_hand() -> None:
    positive = (softplus(-2) + softplus(0)) / 2
    negative = (softplus(-1) + softplus(0.5) + softplus(3) + softplus(-2)) / 4
    assert BalancedBCE()(torch.tensor(LOGITS)).item() == pytest.approx((positive + negative) / 2)


def test_balanced_bce_is_bce_where_there_is_one_negative() -> None:
    logits = torch.tensor(LOGITS)[:, :2]
    torch.testing.assert_close(BalancedBCE()(logits), BCE()(logits))


def test_bpr_by_hand() -> None:
    expected = (softplus(-3) + softplus(-1.5) + softplus(3) + softplus(-2)) / 4
    assert BPR()(torch.tensor(LOGITS)).item() == pytest.approx(expected)


def test_hinge_by_hand() -> None:
    # differences -3, -1.5, 3 and -2
    assert Hinge()(torch.tensor(LOGITS)).item() == pytest.approx(4 / 4)
    assert Hinge(margin=2.5)(torch.tensor(LOGITS)).item() == pytest.approx((1 + 5.5 + 0.5) / 4)


def test_sampled_softmax_by_hand() -> None:
    def log_share(row: list[float]) -> float:
        return math.log(sum(math.exp(x) for x in row)) - row[0]

    expected = (log_share(LOGITS[0]) + log_share(LOGITS[1])) / 2
    assert SampledSoftmax()(torch.tensor(LOGITS)).item() == pytest.approx(expected)


def test_warp_by_hand() -> None:
    # row 0: none within the margin; row 1: the second (0 - 0.5 < 1), which leaves 100 // 2 items
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, -3.0, -0.5]])
    expected = math.log(50) * (1 - 0.5) / 2
    assert WARP(n_items=101)(logits).item() == pytest.approx(expected)


def test_warp_weighs_nothing_where_the_estimate_is_the_first_rank() -> None:
    assert WARP(n_items=3)(torch.tensor([[0.0, -5.0, 1.0]])).item() == 0


def test_full_softmax_by_hand() -> None:
    # two positives of the first user, one of the second
    rows, items = torch.tensor([0, 0, 1]), torch.tensor([0, 2, 1])
    first = math.log(math.exp(2) + math.exp(-1) + math.exp(0.5))
    second = math.log(math.exp(0) + math.exp(3) + math.exp(-2))
    expected = (first - 2 + first - 0.5 + second - 3) / 3
    found = FullSoftmax()(torch.tensor(LOGITS), rows, items)
    assert found.item() == pytest.approx(expected)


def test_losses_are_told_apart_by_what_they_are_called_with() -> None:
    def own(logits: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        return logits[rows, items].sum()

    for loss in (FullSoftmax, FullSoftmax(), own):
        assert is_user_loss(loss)
        assert not is_rating_loss(loss)
    for other in (MSE(), BCE, SampledSoftmax()):
        assert not is_user_loss(other)


def test_mse_by_hand() -> None:
    assert MSE()(torch.tensor([3.0, 4.5]), torch.tensor([4.0, 4.0])).item() == 0.625


@pytest.mark.parametrize(
    "loss",
    [
        BCE(),
        Squared(),
        Squared(negative_weight=0.1),
        BalancedBCE(),
        BPR(),
        Hinge(),
        Hinge(margin=2.5),
        WARP(n_items=50),
        SampledSoftmax(),
    ],
)
def test_gradient_is_autograds(loss: Loss) -> None:
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    loss(logits).backward()
    before = logits.detach().clone()
    torch.testing.assert_close(loss.gradient(logits.detach()), logits.grad)
    assert torch.equal(logits.detach(), before)

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from src.models.base import Loss
from src.training.losses import BCE, Squared

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


@pytest.mark.parametrize("loss", [BCE(), Squared(), Squared(negative_weight=0.1)])
def test_gradient_is_autograds(loss: Loss) -> None:
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    loss(logits).backward()
    before = logits.detach().clone()
    torch.testing.assert_close(loss.gradient(logits.detach()), logits.grad)
    assert torch.equal(logits.detach(), before)

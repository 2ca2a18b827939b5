from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from src.training.losses import bce, labels_like, squared

LOGITS = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]]


def test_bce_by_hand() -> None:
    def log_sigmoid(x: float) -> float:
        return math.log(1 / (1 + math.exp(-x)))

    expected = -(
        log_sigmoid(2) + log_sigmoid(1) + log_sigmoid(-0.5)
        + log_sigmoid(0) + log_sigmoid(-3) + log_sigmoid(2)
    ) / 6  # fmt: skip
    assert bce(torch.tensor(LOGITS)).item() == pytest.approx(expected)


def test_bce_is_torchs() -> None:
    logits = torch.randn(50, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = functional.binary_cross_entropy_with_logits(logits, labels_like(logits))
    torch.testing.assert_close(bce(logits), expected)


def test_bce_of_extreme_logits_is_finite() -> None:
    assert bce(torch.tensor([[-1000.0, 1000.0]])).item() == pytest.approx(1000.0)
    assert bce(torch.tensor([[1000.0, -1000.0]])).item() == 0.0


def test_squared_by_hand() -> None:
    # positives: (2-1)^2 + (0-1)^2 = 2; negatives: 1 + .25 + 9 + 4 = 14.25
    assert squared(torch.tensor(LOGITS)).item() == pytest.approx((2 + 14.25) / 6)
    assert squared(torch.tensor(LOGITS), negative_weight=0.1).item() == pytest.approx(3.425 / 6)

"""Errors of predicted ratings."""

from __future__ import annotations

from torch import Tensor


def rmse(errors: Tensor) -> float:
    """Return the root of the mean squared error of errors float64 [T]."""
    return errors.square().mean().sqrt().item()


def mae(errors: Tensor) -> float:
    """Return the mean absolute error of errors float64 [T]."""
    return errors.abs().mean().item()

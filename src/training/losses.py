"""Losses on grouped logits: [P, 1+k], the positive in column 0; each returns a scalar."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import softplus


def labels_like(logits: Tensor) -> Tensor:
    """1 in column 0, 0 elsewhere."""
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    return labels


def bce(logits: Tensor) -> Tensor:
    """Binary cross-entropy, mean over examples (He et al. 2017, equation 7).

    -log s(x) = softplus(-x) and -log(1 - s(x)) = softplus(x), without forming s(x).
    """
    positive = softplus(-logits[:, 0]).sum()
    negative = softplus(logits[:, 1:]).sum()
    return (positive + negative) / logits.numel()


def squared(logits: Tensor, negative_weight: Annotated[float, Ge(0)] = 1.0) -> Tensor:
    """Weighted squared error against 1 and 0, mean over examples (equation 5).

    The prediction is the score itself, as in the regression that the paper compares with;
    `negative_weight` is w_ui of the negatives, positives weigh 1.
    """
    errors = (logits - labels_like(logits)).square()
    return (errors[:, 0].sum() + negative_weight * errors[:, 1:].sum()) / logits.numel()

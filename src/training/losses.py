"""Losses on grouped logits: [P, 1+k], the positive in column 0; each is a mean over examples.

Each gives its gradient too, in closed form: on small batches autograd takes longer to find it than
the whole model takes to be applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import softplus


class BCE:
    """Binary cross-entropy (He et al. 2017, equation 7)."""

    def __call__(self, logits: Tensor) -> Tensor:
        """-log s(x) of positives and -log(1 - s(x)) of negatives, without forming s(x)."""
        # softplus(-x) = softplus(x) - x
        return (softplus(logits).sum() - logits[:, 0].sum()) / logits.numel()

    def gradient(self, logits: Tensor) -> Tensor:
        """s(x) - 1 of positives and s(x) of negatives, each divided by the number of examples."""
        residuals = torch.sigmoid(logits)
        residuals[:, 0] -= 1
        return residuals.div_(logits.numel())


@dataclass(frozen=True)
class Squared:
    """Weighted squared error against 1 and 0 (He et al. 2017, equation 5).

    The prediction is the score itself, as in the regression that the paper compares with;
    `negative_weight` is w_ui of the negatives, positives weigh 1.
    """

    negative_weight: Annotated[float, Ge(0)] = 1.0

    def __call__(self, logits: Tensor) -> Tensor:
        positive = (logits[:, 0] - 1).square().sum()
        negative = logits[:, 1:].square().sum()
        return (positive + self.negative_weight * negative) / logits.numel()

    def gradient(self, logits: Tensor) -> Tensor:
        weighted = logits * (2 * self.negative_weight)
        weighted[:, 0] = 2 * (logits[:, 0] - 1)
        return weighted.div_(logits.numel())

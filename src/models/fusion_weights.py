"""Choose the weights of models side by side, by a search on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Gain = Callable[[Tensor, Tensor], Tensor]
"""What a target's place is worth: int64 [T] items ahead of it, of int64 [T] there are -> [T]."""

# Evaluations of a search for each weight that is free
EVALUATIONS = 60
# A weight's first step in the search
STEP = 0.3
# Rows judged at a time
TOGETHER = 32


@dataclass(frozen=True)
class Choice:
    """Weights, and what they come to on validation."""

    weights: Tensor
    """float64 [n_parts]; the first one is 1."""
    gain: float
    """By the same users that they were chosen on: flattered."""
    two_fold: float
    """By users other than those they were chosen on, half by half: what is to be expected."""
    evaluations: int


def choose_weights(ahead: Sequence[Tensor], left_out: Tensor, gain: Gain) -> Choice:
    """Choose weights by the mean gain, with the simplex search of Nelder and Mead (1965).

    ahead: of each part how far every item is ahead of the row's target, [T, n_items] each.
    left_out: bool [T, n_items], items that are no candidates. The order does not depend on a common
    factor, so the first part's weight stays 1.
    """
    search = _Search(ahead, left_out, gain)
    rows = torch.arange(len(left_out))
    even, odd = rows[::2], rows[1::2]
    weights = search.run(rows)
    halves = [(even, odd), (odd, even)] if len(odd) else []
    two_fold = [search.judge(other, search.run(own)) for own, other in halves]
    return Choice(
        torch.from_numpy(weights),
        search.judge(rows, weights),
        float(np.mean(two_fold)) if two_fold else float("nan"),
        search.evaluations,
    )


class _Search:
    """The targets, and how often they were judged."""

    def __init__(self, ahead: Sequence[Tensor], left_out: Tensor, gain: Gain) -> None:
        first, *others = ahead
        # whose weight is 1: what is no candidate is never ahead
        self.ahead = [first.masked_fill(left_out, float("-inf")), *others]
        self.n_candidates = left_out.logical_not().sum(1)
        self.gain = gain
        self.evaluations = 0

    def run(self, rows: Tensor) -> NDArray[np.float64]:
        """Return the best weights found for these rows."""
        from scipy.optimize import minimize  # takes long to import

        free = len(self.ahead) - 1
        if not free:
            return np.ones(1)
        start = np.array([*np.ones(free - 1), 0.0])  # the last part is a prior, and may be nothing
        simplex = np.vstack([start, start + STEP * np.eye(free)])
        own = _Rows(self, rows)
        found = minimize(
            lambda weights: -own.judge(np.array([1.0, *weights])),
            start,
            method="Nelder-Mead",
            options={
                "maxfev": EVALUATIONS * free,
                "initial_simplex": simplex,
                "xatol": 0.005,
                "fatol": 1e-5,
            },
        )
        return np.array([1.0, *found.x])

    def judge(self, rows: Tensor, weights: NDArray[np.float64]) -> float:
        """Return the mean gain of these rows' targets."""
        return _Rows(self, rows).judge(weights)


class _Rows:
    """Some of the targets."""

    def __init__(self, search: _Search, rows: Tensor) -> None:
        self.search = search
        whole = len(rows) == len(search.n_candidates)
        self.parts = search.ahead if whole else [part[rows] for part in search.ahead]
        self.n = search.n_candidates[rows]

    def judge(self, weights: NDArray[np.float64]) -> float:
        """Return the mean gain; ties count against the target."""
        self.search.evaluations += 1
        before = [
            self._count(range(first, min(first + TOGETHER, len(self.n))), weights)
            for first in range(0, len(self.n), TOGETHER)
        ]
        return self.search.gain(torch.cat(before).long(), self.n).mean().item()

    def _count(self, rows: range, weights: NDArray[np.float64]) -> Tensor:
        """Count the items that are ahead in these rows; few rows stay in cache."""
        first, *others = (part[rows.start : rows.stop] for part in self.parts)
        fused = first * float(weights[0])
        for weight, part in zip(weights[1:], others, strict=True):
            fused.add_(part, alpha=float(weight))
        return fused.ge_(0).sum(1)

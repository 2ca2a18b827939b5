"""Adam on the rows of a large table, at a cost that follows the rows a step reads."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROWS_PER_CHUNK = 1 << 16
# The share of its first move that momentum may still make where its sum is cut off
NEGLIGIBLE = 1e-12


class _Read(NamedTuple):
    ids: Tensor
    rows: Tensor
    decays: Tensor


def can_defer(betas: tuple[float, float]) -> bool:
    """Tell whether momentum fades fast enough for its sum to be tabulated."""
    return betas[0] <= 0.99 * math.sqrt(betas[1])


class DeferredRows:
    """Rows of one table, brought up to date when they are read instead of at every step.

    Adam (Kingma & Ba 2015) moves a row also at steps that give it no gradient, by what its momentum
    has left. Until the row's next gradient that is known beforehand: g steps on, its averages have
    shrunk to m·β1^g and v·β2^g, and it has moved by

        -lr · m/(√v + ε) · Σ_{j=1..g} ρ^j · c(s+j),   ρ = β1/√β2,   c(t) = √(1-β2^t)/(1-β1^t)

    where s is the step it was last up to date with. So dense Adam's numbers come out, to rounding
    (ε is taken to shrink with √v, which matters only to gradients as small as ε), and rows that are
    not read cost nothing. With F(s) = Σ_{j≥1} ρ^j · c(s+j) the sum is F(s) - ρ^g · F(s+g).

    Where the rate changes, every row is brought up to date with the old one first.
    """

    def __init__(
        self,
        weight: Tensor,
        exp_avg: Tensor,
        exp_avg_sq: Tensor,
        betas: tuple[float, float],
        eps: float,
        step: int,
    ) -> None:
        """Take over a table [n, width] with its averages [n, width] after `step` steps."""
        self.home = (weight, exp_avg, exp_avg_sq)
        self.betas, self.eps, self.lr = betas, eps, 0.0
        n, self.width = weight.shape
        # a row is weight, exp_avg, exp_avg_sq and the step it is up to date with: read at once
        self.rows = torch.empty(n, 3 * self.width + 1, device=weight.device)
        self.gradients = torch.zeros(n, self.width, device=weight.device)
        self.reads: list[_Read] = []
        self._load(step)

    def _load(self, step: int) -> None:
        """Start counting at `step`, from what the table and its averages hold."""
        for place, tensor in enumerate(self.home):
            self.rows[:, place * self.width : (place + 1) * self.width] = tensor
        self.rows[:, -1] = 0
        self.start, self.now = step, 0
        self._tabulate(1 << 12)

    def read(self, ids: Tensor) -> Tensor:
        """Return the current rows of ids [R] -> [R, width]; `update` writes them back."""
        read = self._current(ids)
        self.reads.append(read)
        return read.rows[:, : self.width]

    def add_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradient [R, width] of rows read as ids [R]; what repeats is added up."""
        self.gradients.index_add_(0, ids, gradient)

    def update(self, lr: float) -> None:
        """Take one step of Adam on the rows read since the last."""
        if lr != self.lr:
            self.flush()
            self.lr = lr
        (beta1, beta2), step = self.betas, self.start + self.now + 1
        root = math.sqrt(1 - beta2**step)
        for ids, rows, decays in self.reads:
            value, exp_avg, exp_avg_sq, up_to_date = self._parts(rows)
            gradient = self.gradients.index_select(0, ids)
            exp_avg.mul_(decays[:, 0:1]).add_(gradient, alpha=1 - beta1)
            exp_avg_sq.mul_(decays[:, 1:2]).addcmul_(gradient, gradient, value=1 - beta2)
            scale = exp_avg_sq.sqrt().add_(self.eps * root)
            value.addcdiv_(exp_avg, scale, value=-lr * root / (1 - beta1**step))
            up_to_date.fill_(self.now + 1)
        # repeated ids write the same values again
        for ids, rows, _ in self.reads:
            self.rows.index_copy_(0, ids, rows)
            self.gradients.index_fill_(0, ids, 0)
        self.reads.clear()
        self.now += 1
        if self.now == len(self.fading):
            self._tabulate(2 * self.now)

    def flush(self) -> None:
        """Bring every row up to date and write the table and its averages back."""
        if self.now == 0:
            return
        for first in range(0, len(self.rows), ROWS_PER_CHUNK):
            last = min(first + ROWS_PER_CHUNK, len(self.rows))
            _, rows, decays = self._current(torch.arange(first, last, device=self.rows.device))
            value, exp_avg, exp_avg_sq, _ = self._parts(rows)
            # the table's decays are those of the step to come
            exp_avg.mul_(decays[:, 0:1] / self.betas[0])
            exp_avg_sq.mul_(decays[:, 1:2] / self.betas[1])
            for tensor, part in zip(self.home, (value, exp_avg, exp_avg_sq), strict=True):
                tensor[first:last] = part
        self._load(self.start + self.now)

    def _current(self, ids: Tensor) -> _Read:
        rows = self.rows.index_select(0, ids)
        value, exp_avg, exp_avg_sq, up_to_date = self._parts(rows)
        since = up_to_date.long()
        decays = self.decays.index_select(0, self.now - since)
        left = self.left.index_select(0, since)
        moved = left.sub_(decays[:, 2], alpha=self.fading[self.now])
        root = math.sqrt(1 - self.betas[1] ** max(self.start + self.now, 1))
        direction = exp_avg / exp_avg_sq.sqrt().add_(self.eps * root)
        value.addcmul_(direction, moved[:, None], value=-self.lr)
        return _Read(ids, rows, decays)

    def _parts(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        value, exp_avg, exp_avg_sq, up_to_date = rows.split([self.width] * 3 + [1], dim=1)
        return value, exp_avg, exp_avg_sq, up_to_date[:, 0]

    def _tabulate(self, n: int) -> None:
        """Tabulate F(start + s) for s < n, and β1^(g+1), β2^(g+1), ρ^g for gaps g < n."""
        beta1, beta2 = self.betas
        rho = beta1 / math.sqrt(beta2)
        horizon = math.ceil(math.log(NEGLIGIBLE) / math.log(rho)) if rho else 1
        steps = self.start + np.arange(1, n + horizon)
        factor = np.sqrt(1 - beta2**steps) / (1 - beta1**steps)
        powers = rho ** np.arange(1, horizon + 1)
        left = np.convolve(factor, powers[::-1], mode="valid")
        gaps = np.arange(n)
        decays = np.stack([beta1 ** (gaps + 1), beta2 ** (gaps + 1), rho**gaps], axis=1)
        device = self.rows.device
        self.fading = left.tolist()
        self.left = torch.from_numpy(left).float().to(device)
        self.decays = torch.from_numpy(decays).float().to(device)

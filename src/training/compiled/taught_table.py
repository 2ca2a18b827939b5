"""An embedding table whose rows are updated at a cost of the rows that are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.kernels.entry import Entry
from src.training.compiled.layout import (
    ADAM_DENSE,
    ADAM_ROWS,
    NEVER,
    SGD_ROWS,
    Rates,
    TaughtRows,
    next_sweep,
)

# The share of its first move that momentum may still make where its sum is cut off
NEGLIGIBLE = 1e-12
# Steps for which sums are tabulated; then all rows are brought up to date and it begins anew
N_SUMS = 1 << 14

bring_all = Entry("src.training.compiled.row_entries.bring_all")
read_rows = Entry("src.training.compiled.row_entries.read_rows")
add_gradients = Entry("src.training.compiled.row_entries.add_gradients")
update_rows = Entry("src.training.compiled.row_entries.update_rows")


def can_defer(betas: tuple[float, float]) -> bool:
    """Tell whether momentum fades fast enough for its sums to be tabulated."""
    return betas[0] <= 0.99 * betas[1]


class TaughtTable:
    """A table that compiled code reads and teaches, see `rows`.

    Its memory is the parameter's and the optimizer's own; they are true after `flush`.
    """

    def __init__(
        self,
        weight: Tensor,
        averages: tuple[Tensor, Tensor] | None,
        betas: tuple[float, float],
        eps: float,
        step: int,
        *,
        dense: bool = False,
    ) -> None:
        """Take over float32 [n, width] after `step` steps; `averages` are Adam's, None for SGD."""
        n, width = weight.shape
        self.weight, self.betas, self.eps = weight, betas, eps
        self.exp_avg, self.exp_avg_sq = averages or (weight, weight)
        self.gradient = torch.zeros(n, width)
        how = SGD_ROWS if averages is None else (ADAM_DENSE if dense else ADAM_ROWS)
        self.table = TaughtRows(
            weight=weight.data_ptr(),
            exp_avg=self.exp_avg.data_ptr(),
            exp_avg_sq=self.exp_avg_sq.data_ptr(),
            gradient=self.gradient.data_ptr(),
            n_rows=n,
            width=width,
            how=how,
        )
        # Adam counts from 1: no row is up to date with a step before the first
        self.up_to_date = np.full(n, step, np.int32)
        self.places, self.touched = np.empty(n, np.int32), np.empty(n, np.int32)
        self.sums = np.zeros((1, 6))
        self.progress = np.array([step, 0, step])
        self._n_touched = 0
        self._lr = 0.0
        self._begin()

    def _begin(self) -> None:
        """Begin the tables of sums at the steps taken."""
        step = int(self.progress[0])
        self.progress[1:] = NEVER, step
        if self.table.how == ADAM_ROWS:
            self.progress[1] = next_sweep(step, *self.betas)
            self.sums = tabulate(self.betas, step)

    def prepare(self, lr: float, n_steps: int) -> Rates:
        """Prepare for so many steps at a rate; return what they multiply with."""
        ahead = self.progress[0] + n_steps - self.progress[2]
        if lr != self._lr or ahead >= len(self.sums):
            self.flush()
            self._lr = lr
        return self._rates

    @property
    def _rates(self) -> Rates:
        return Rates(self._lr, *self.betas, self.eps)

    def flush(self) -> None:
        """Make every row true."""
        if self.table.how == ADAM_ROWS and self.progress[0] > self.progress[2]:
            bring_all(self.table, self._rates, self.progress, self.up_to_date, self.sums)
            self._begin()

    def save(self) -> dict[str, Any]:
        """Return what `restore` needs beside the weights and averages, some rows not yet true."""
        return {
            "progress": torch.from_numpy(self.progress.copy()),
            "up_to_date": torch.from_numpy(self.up_to_date.copy()),
            "lr": self._lr,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from where weights, averages and `saved` were saved, to the same numbers."""
        self.progress[:] = saved["progress"].numpy()
        self.up_to_date[:] = saved["up_to_date"].numpy()
        self._lr = saved["lr"]
        if self.table.how == ADAM_ROWS:
            self.sums = tabulate(self.betas, int(self.progress[2]))

    def read(self, ids: Tensor) -> Tensor:
        """Return the current rows of ids [R], to be taught at the next step: [R, width]."""
        found = torch.empty(len(ids), self.table.width)
        self._n_touched = int(
            read_rows(
            ids.numpy(), found.data_ptr(), self.table, self._rates, self.progress,
            self.up_to_date, self.places, self.touched, self._n_touched, self.sums,
            )
        )  # fmt: skip
        return found

    def add_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradient [R, width] of rows read as ids [R]; what repeats is added up."""
        add_gradients(ids.numpy(), gradient.contiguous().data_ptr(), self.table, self.places)

    def update(self, lr: float) -> None:
        """Take one step on the rows read since the last."""
        rates = self.prepare(lr, 1)
        update_rows(
            self.table,
            rates,
            self.progress,
            self.up_to_date,
            self.touched,
            self._n_touched,
            self.sums,
        )
        self._n_touched = 0


def tabulate(betas: tuple[float, float], step: int) -> NDArray[np.float64]:
    """Tabulate the sums of `rows`: [N_SUMS, 6], from `step` on.

    Row s holds F(step + s), the same of the sum that scales eps, β1^s, β2^s, ρ^s and (β1/β2)^s.
    """
    beta1, beta2 = betas
    rho, rho_eps = beta1 / math.sqrt(beta2), beta1 / beta2
    horizon = math.ceil(math.log(NEGLIGIBLE) / math.log(rho_eps)) if beta1 else 1
    steps = step + np.arange(1, N_SUMS + horizon)
    root = np.sqrt(1 - beta2**steps)
    factor = root / (1 - beta1**steps)
    ahead, gaps = np.arange(1, horizon + 1), np.arange(N_SUMS)
    left = np.convolve(factor, (rho**ahead)[::-1], mode="valid")
    left_eps = np.convolve(factor * root, (rho_eps**ahead)[::-1], mode="valid")
    powers = [beta1**gaps, beta2**gaps, rho**gaps, rho_eps**gaps]
    return np.ascontiguousarray(np.stack([left, left_eps, *powers], axis=1))

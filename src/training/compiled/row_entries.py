"""What `TaughtTable` calls of `rows`, for tables whose gradients torch finds."""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inner
from src.kernels.vectors import add, copy
from src.training.compiled import rows


@inner
def bring_all(table, rates, progress, up_to_date, sums):
    """Make every row true after the steps taken."""
    rows.bring_all(table, rates, progress[0], progress[2], up_to_date, sums)
    return 0


@inner
def read_rows(ids, to, table, rates, progress, up_to_date, places, touched, n_touched, sums):
    """Copy the rows of ids int64 [R] to [R, width], and return how many are touched."""
    for place in range(len(ids)):
        row = ids[place]
        _, n_touched = rows.touch(
            row, table, rates, progress[0] + 1, progress[2],
            up_to_date, places, touched, n_touched, sums,
        )  # fmt: skip
        width = table.width
        copy(to + 4 * place * width, table.weight + 4 * row * width, width)
    return n_touched


@inner
def add_gradients(ids, gradient, table, places):
    """Add the gradients [R, width] of rows that were read as ids int64 [R]."""
    width = table.width
    for place in range(len(ids)):
        to = table.gradient + 4 * np.int64(places[ids[place]]) * width
        add(to, gradient + 4 * place * width, width)
    return 0


@inner
def update_rows(table, rates, progress, up_to_date, touched, n, sums):
    """Take one step on the touched rows."""
    progress[0] += 1
    step = progress[0]
    factor, eps = rows.scale_step(table.how, rates, step)
    rows.teach(table, rates, factor, eps, touched, n)
    if step >= progress[1]:
        rows.bring_all(table, rates, step, progress[2], up_to_date, sums)
        progress[1] = rows.next_sweep(step, rates.beta1, rates.beta2)
    return 0

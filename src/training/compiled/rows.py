"""The rows of an embedding table in training: read, taught and updated at a cost of the rows read.

Adam (Kingma & Ba 2015) moves a row also at steps that give it no gradient, by what its momentum has
left. Until the row's next gradient that is known beforehand: g steps after step s, its averages
have shrunk to m·β1^g and v·β2^g, and it has moved by

    -lr · m · Σ_{j=1..g} ρ^j · c(s+j) / (√v + ε_j),   ρ = β1/√β2,   c(t) = √(1-β2^t) / (1-β1^t),

where ε_j = ε · √(1-β2^(s+j)) / β2^(j/2). With F(s) = Σ_{j≥1} ρ^j · c(s+j) the sum of the numerators
is S1 = F(s) - ρ^g · F(s+g). The ε_j hardly differ, and their mean, weighted as the terms are, is
ε · S2/S1 with S2 = Σ_{j=1..g} (β1/β2)^j · c(s+j) · √(1-β2^(s+j)), a difference of the same form. So

    -lr · m · S1 / (√v + ε · S2/S1)

comes to dense Adam's numbers, wrong only by the square of how the ε_j differ. That matters while
the second moment is young: until a 64th of the steps taken is longer than momentum lasts, all rows
are brought up to date whenever the steps have grown by a 64th.
"""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inlined, inner
from src.kernels.vectors import adam, add_scaled, fade, fill, prefetch
from src.training.compiled import layout
from src.training.compiled.layout import (
    ADAM_DENSE,
    ADAM_ROWS,
    DECAY1,
    DECAY2,
    OF_STEP,
    OF_STEP_EPS,
    RHO,
    RHO_EPS,
    SGD_ROWS,
)

AHEAD = 8

next_sweep = inner(layout.next_sweep)


@inlined
def touch(row, table, rates, step, base, up_to_date, places, touched, n, sums):
    """Make a row current before `step`; return where its gradient goes, and how many are touched.

    up_to_date int32 [n_rows]: the step after which each row is true; places int32 [n_rows]: where
    in `touched` each row is that was read at this step.
    """
    if table.how == ADAM_DENSE:
        return row, n
    if up_to_date[row] == step:
        return np.int64(places[row]), n
    if table.how == ADAM_ROWS:
        bring(row, table, rates, step - 1, base, up_to_date, sums)
    up_to_date[row] = step
    places[row] = n
    touched[n] = row
    return n, n + 1


@inlined
def bring(row, table, rates, step, base, up_to_date, sums):
    """Move a row by what its momentum does until after `step`."""
    since = up_to_date[row]
    gap = step - since
    if gap <= 0:
        return
    first, last = since - base, step - base
    moved = sums[first, OF_STEP] - sums[gap, RHO] * sums[last, OF_STEP]
    weighted = sums[first, OF_STEP_EPS] - sums[gap, RHO_EPS] * sums[last, OF_STEP_EPS]
    at = 4 * row * table.width
    fade(
        table.weight + at,
        table.exp_avg + at,
        table.exp_avg_sq + at,
        table.width,
        np.float32(sums[gap, DECAY1]),
        np.float32(sums[gap, DECAY2]),
        np.float32(-rates.lr * moved),
        np.float32(rates.eps * weighted / moved if moved > 0 else rates.eps),
    )
    up_to_date[row] = step


@inner
def bring_all(table, rates, step, base, up_to_date, sums):
    """Make every row true after `step`."""
    for row in range(table.n_rows):
        bring(row, table, rates, step, base, up_to_date, sums)


@inlined
def ask_for(row, table):
    """Ask memory for a row that is read soon."""
    at = 4 * row * table.width
    prefetch(table.weight + at, table.width)
    if table.how == ADAM_ROWS:
        prefetch(table.exp_avg + at, table.width)
        prefetch(table.exp_avg_sq + at, table.width)


@inner
def teach(table, rates, scale, eps, touched, n):
    """Update the n touched rows, or all, from their gradients, which become 0."""
    if table.how == SGD_ROWS:
        for place in range(n):
            of_row = table.gradient + 4 * place * table.width
            at = table.weight + 4 * np.int64(touched[place]) * table.width
            add_scaled(at, of_row, table.width, scale)
            fill(of_row, table.width, np.float32(0))
    elif table.how == ADAM_DENSE:
        n_numbers = table.n_rows * table.width
        averages = table.exp_avg, table.exp_avg_sq
        step_adam(table.weight, averages, table.gradient, n_numbers, rates, scale, eps)
    else:
        for place in range(n):
            if place + AHEAD < n:
                ask_for(np.int64(touched[place + AHEAD]), table)
            at = 4 * np.int64(touched[place]) * table.width
            averages = table.exp_avg + at, table.exp_avg_sq + at
            of_row = table.gradient + 4 * place * table.width
            step_adam(table.weight + at, averages, of_row, table.width, rates, scale, eps)


@inlined
def step_adam(weight, averages, gradient, n, rates, scale, eps):
    """Take one step of Adam on n numbers, from their gradients, which become 0.

    scale, eps: as `scale_step` returns them.
    """
    beta1, beta2 = np.float32(rates.beta1), np.float32(rates.beta2)
    rest1, rest2 = np.float32(1 - rates.beta1), np.float32(1 - rates.beta2)
    exp_avg, exp_avg_sq = averages
    adam(weight, exp_avg, exp_avg_sq, gradient, n, beta1, rest1, beta2, rest2, scale, eps)


@inner
def scale_step(how, rates, step):
    """Return the factor of a move, and eps, with Adam's corrections of its averages in them."""
    if how == SGD_ROWS:
        return np.float32(-rates.lr), np.float32(0)
    root = np.sqrt(1 - rates.beta2**step)
    return np.float32(-rates.lr * root / (1 - rates.beta1**step)), np.float32(rates.eps * root)

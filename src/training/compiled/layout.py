"""What a compiled step is told: the network, the task, and where in memory everything is.

Addresses are of float32 that Python owns; a row of numbers is padded with zeros to multiples of
LANES.
"""

from __future__ import annotations

from typing import NamedTuple

BLOCK = 32
"""Positives worked on at a time, with their negatives."""

# Columns of `layers`, a row for each hidden layer: widths as they are stored, then addresses
N_IN, N_OUT, STRIDE, WEIGHT, BIAS, FORWARD, BACKWARD, OUTPUTS, SLOPES = range(9)


class Network(NamedTuple):
    """The model and where its parameters are: int64."""

    n_users: int
    factors: int
    """Columns of a row that are multiplied."""
    half: int
    """Columns of a row that go into the tower, after these."""
    biases: int
    """1 where a row ends with a bias."""
    n_layers: int
    weighted: int
    """1 where the output layer has weights that learn."""
    output: int
    """The output layer's weights: of the product, then of the tower's features."""
    bias: int
    """The output layer's bias."""
    learns_bias: int
    parameters: int
    """All of these parameters, and in the same order their averages and gradients."""
    exp_avg: int
    exp_avg_sq: int
    gradients: int
    n_parameters: int


class Task(NamedTuple):
    """What is minimized: float64."""

    parameter: float
    """Of the loss: its margin, or its weight of negatives."""
    l2: float
    dropout: float


class Scratch(NamedTuple):
    """Addresses of a block's numbers."""

    user: int
    """p [BLOCK, stride]"""
    item: int
    """q [BLOCK * C, stride]"""
    of_user: int
    of_item: int
    weighted_user: int
    """h p [BLOCK, stride]"""
    user_sums: int
    """The user's half of the first layer [BLOCK, n_out]"""
    of_user_sums: int
    logits: int
    slopes: int
    values: int
    ones: int
    product: int


# Losses
BCE, BALANCED_BCE, BPR, SQUARED, HINGE, SOFTMAX = range(6)

# How a table is updated
ADAM_ROWS, ADAM_DENSE, SGD_ROWS = range(3)
# Columns of the tables of sums, see deferred.py
OF_STEP, OF_STEP_EPS, DECAY1, DECAY2, RHO, RHO_EPS = range(6)


class TaughtRows(NamedTuple):
    """A table [n_rows, width] with what its optimizer keeps: addresses, and int64 facts."""

    weight: int
    exp_avg: int
    exp_avg_sq: int
    gradient: int
    """By place in the list of touched rows, or by row where the update is dense."""
    n_rows: int
    width: int
    how: int
    """ADAM_ROWS, ADAM_DENSE or SGD_ROWS."""


NEVER = 2**62


class Rates(NamedTuple):
    """What an update multiplies with: float64."""

    lr: float
    beta1: float
    beta2: float
    eps: float


def next_sweep(step: int, beta1: float, beta2: float) -> int:
    """Return the step after which all rows are brought up to date again, NEVER if nothing asks it.

    Nothing does when momentum fades, to a thousandth, before the steps have grown by a 64th.
    """
    fades_in = 7 / (1 - beta1 / beta2**0.5)
    grown = step // 64
    return step + 1 + grown if grown <= fades_in else NEVER

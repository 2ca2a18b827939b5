"""Widths as they are stored."""

from __future__ import annotations

from src.kernels.compiling import inner
from src.kernels.machine import LANES, ROWS


@inner
def pad_lanes(n):
    """Return the next multiple of LANES."""
    return (n + LANES - 1) // LANES * LANES


@inner
def pad_rows(n):
    return (n + ROWS - 1) // ROWS * ROWS


@inner
def row_stride(network):
    return pad_lanes(network.factors) + pad_lanes(network.half) + LANES * network.biases

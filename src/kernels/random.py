"""Random bits as a pure function of a number (splitmix64, Steele et al. 2014)."""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inner


@inner
def mix(number):
    """Return 64 well-mixed bits of a uint64; successive numbers give independent ones."""
    z = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

"""Bits of 64-bit words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from src.kernels.compiling import inner


@intrinsic
def count_ones(typing, word):
    """Return how many bits of a uint64 are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@inner
def find_zero(words, rank):
    """Return the place of the zero bit before which there are `rank` zeros; words uint64 [n]."""
    place = 0
    zeros = np.uint64(64) - count_ones(words[0])
    while rank >= zeros:
        rank -= zeros
        place += 1
        zeros = np.uint64(64) - count_ones(words[place])
    free = ~words[place]
    for _ in range(rank):
        free &= free - np.uint64(1)
    lowest = free & (~free + np.uint64(1))
    return 64 * place + np.int64(count_ones(lowest - np.uint64(1)))

"""Random numbers of compiled code: the published ones of splitmix64; and the zeros of bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from src.kernels.bits import find_zero
from src.kernels.random import mix


@njit
def _mix(number):
    return mix(number)


@njit
def _find_zero(words, rank):
    return find_zero(words, rank)


def test_the_stream_of_seed_1234567() -> None:
    # the published test vector of splitmix64: its state grows by the golden ratio at each call
    golden, state = 0x9E3779B97F4A7C15, 1234567
    inverse = pow(golden, -1, 2**64)
    start = state * inverse % 2**64
    found = [int(_mix(np.uint64((start + step) % 2**64))) for step in range(3)]
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 2**64 - 2), min_size=1, max_size=3), st.data())
def test_the_place_of_a_zero(words: list[int], data: st.DataObject) -> None:
    zeros = [p for p in range(64 * len(words)) if not words[p // 64] >> (p % 64) & 1]
    rank = data.draw(st.integers(0, len(zeros) - 1))
    assert _find_zero(np.array(words, np.uint64), np.uint64(rank)) == zeros[rank]

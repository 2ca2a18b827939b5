"""The vector operations against numpy, at lengths that fill their vectors and that don't."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from src.kernels import vectors
from src.kernels.machine import LANES, pad, pad_columns

Floats = NDArray[np.float32]
LENGTHS = [0, 1, 7, 8, 9, 40]


def draw(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def at(array: Floats) -> int:
    return int(array.ctypes.data)


@njit
def _copy(to, x, n):
    vectors.copy(to, x, n)


@njit
def _fill(to, n, value):
    vectors.fill(to, n, value)


@njit
def _add(to, x, n):
    vectors.add(to, x, n)


@njit
def _add_scaled(to, x, n, factor):
    vectors.add_scaled(to, x, n, factor)


@njit
def _scale(to, x, n, factor):
    vectors.scale(to, x, n, factor)


@njit
def _multiply(to, x, y, n):
    vectors.multiply(to, x, y, n)


@njit
def _add_product(to, x, y, n):
    vectors.add_product(to, x, y, n)


@njit
def _scale_where_positive(to, x, gate, n, factor):
    vectors.scale_where_positive(to, x, gate, n, factor)


@njit
def _dot(x, y, n):
    return vectors.dot(x, y, n)


@njit
def _total(x, n):
    return vectors.total(x, n)


@njit
def _sigmoid(slope, value, x, n):
    vectors.sigmoid(slope, value, x, n)


@njit
def _exp_below(to, x, n, most):
    vectors.exp_below(to, x, n, most)


HALF = np.float32(0.5)
TWO_ARRAYS: list[tuple[Callable[..., None], tuple[np.float32, ...], Callable[..., Floats]]] = [
    (_copy, (), lambda to, x: x),
    (_add, (), lambda to, x: to + x),
    (_add_scaled, (HALF,), lambda to, x: to + HALF * x),
    (_scale, (HALF,), lambda to, x: HALF * x),
]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("operation", "factors", "expected"), TWO_ARRAYS)
def test_two_arrays(
    operation: Callable[..., None],
    factors: tuple[np.float32, ...],
    expected: Callable[..., Floats],
    n: int,
) -> None:
    to, x = draw(n + 1, seed=1), draw(n + 1, seed=2)
    right, beyond = expected(to[:n].copy(), x[:n]), to[n]
    operation(at(to), at(x), n, *factors)
    np.testing.assert_allclose(to[:n], right, rtol=1e-6)
    assert to[n] == beyond


@pytest.mark.parametrize("n", LENGTHS)
def test_three_arrays(n: int) -> None:
    before, x, y = draw(n + 1, seed=1), draw(n + 1, seed=2), draw(n + 1, seed=3)
    for operation, factors, expected in (
        (_multiply, (), x * y),
        (_add_product, (), before + x * y),
        (_scale_where_positive, (HALF,), np.where(y > 0, HALF * x, 0)),
    ):
        to = before.copy()
        operation(at(to), at(x), at(y), n, *factors)
        np.testing.assert_allclose(to[:n], expected[:n], rtol=1e-5, atol=1e-7)
        assert to[n] == before[n]


@pytest.mark.parametrize("n", LENGTHS)
def test_sums(n: int) -> None:
    x, y = draw(n, seed=1), draw(n, seed=2)
    assert _total(at(x), n) == pytest.approx(x.sum(dtype=float), abs=1e-5)
    assert _dot(at(x), at(y), n) == pytest.approx((x * y).sum(dtype=float), abs=1e-5)


def test_fill() -> None:
    to = draw(10)
    _fill(at(to), 9, np.float32(3))
    assert to[:9].tolist() == [3.0] * 9
    assert to[9] != 3


def test_sigmoid_and_its_integral_over_the_whole_range() -> None:
    x = np.concatenate([np.linspace(-100, 100, 4001), [0, -0.0, 1e-30, 500, -500]])
    x = x.astype(np.float32)
    slope, value = np.empty_like(x), np.empty_like(x)
    _sigmoid(at(slope), at(value), at(x), len(x))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(slope, 1 / (1 + np.exp(-exact)), rtol=1e-6, atol=2e-7)
    np.testing.assert_allclose(value, np.logaddexp(0, exact), rtol=1e-6, atol=2e-7)


def test_exponentials_of_what_is_below_the_most() -> None:
    x = np.array([3, 2.5, -4, -80, -300, 3], np.float32)
    to = np.empty_like(x)
    _exp_below(at(to), at(x), 6, np.float32(3))
    np.testing.assert_allclose(to, np.exp(x - np.float32(3), dtype=float), rtol=1e-6, atol=2e-38)


def test_padding() -> None:
    assert [pad(n, LANES) for n in (0, 1, 8, 9)] == [0, 8, 8, 16]
    assert [pad_columns(n) for n in (1, 64, 120, 121, 128, 256)] == [8, 64, 120, 136, 136, 264]

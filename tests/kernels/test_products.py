"""Products of matrices of every width against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from src.kernels import products
from src.kernels.machine import ROWS, pad
from tests.kernels.test_vectors import at, draw

WIDTHS = [8, 16, 24, 32, 40, 56]


@njit
def _pack(source, by_row, by_column, rows, columns, to):
    products.pack(source, by_row, by_column, rows, columns, to)


@njit
def _multiply_bias_relu(x, x_stride, n, depth, w, columns, y, y_stride, bias):
    products.multiply_bias_relu(x, x_stride, n, depth, w, columns, y, y_stride, bias, 0)


@njit
def _multiply_where_positive(x, x_stride, n, depth, w, columns, y, y_stride, gate, gate_stride):
    products.multiply_where_positive(
        x, x_stride, n, depth, w, columns, y, y_stride, gate, gate_stride
    )


@njit
def _add_outer(d, d_stride, m, x, x_stride, columns, n, g, g_stride):
    products.add_outer(d, d_stride, m, x, x_stride, columns, n, g, g_stride)


@njit
def _add_weighted_rows(d, x, x_stride, columns, n, g):
    products.add_weighted_rows(d, x, x_stride, columns, n, g)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("transposed", [True, False])
def test_product_with_a_packed_matrix(columns: int, transposed: bool) -> None:
    n, depth = pad(13, ROWS), 5
    x, bias = draw(n, depth), draw(columns, seed=1)
    w = draw(columns, depth).T if transposed else draw(depth, columns)
    by_row, by_column = (step // 4 for step in w.strides)
    packed, y = np.zeros(depth * columns, np.float32), draw(n, columns, seed=2)
    _pack(w.ctypes.data, by_row, by_column, depth, columns, at(packed))
    _multiply_bias_relu(at(x), depth, n, depth, at(packed), columns, at(y), columns, at(bias))
    np.testing.assert_allclose(y, np.maximum(x @ w + bias, 0), rtol=1e-4, atol=1e-5)
    gate, z = draw(n, columns + 1, seed=3), draw(n, columns, seed=4)
    _multiply_where_positive(
        at(x), depth, n, depth, at(packed), columns, at(z), columns, at(gate), columns + 1
    )
    np.testing.assert_allclose(z, np.where(gate[:, :-1] > 0, x @ w, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("columns", WIDTHS)
def test_outer_product(columns: int) -> None:
    m, n = 2 * ROWS, 7
    d, x, g = draw(n, m + 1), draw(n, columns), draw(m, columns + 1)
    expected = g[:, :columns] + d[:, :m].T @ x
    _add_outer(at(d), m + 1, m, at(x), columns, columns, n, at(g), columns + 1)
    np.testing.assert_allclose(g[:, :columns], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("columns", WIDTHS)
def test_weighted_rows(columns: int) -> None:
    d, x, g = draw(7), draw(7, columns + 2), draw(columns)
    expected = g + d @ x[:, :columns]
    _add_weighted_rows(at(d), at(x), columns + 2, columns, 7, at(g))
    np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-5)

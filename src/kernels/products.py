"""Products of small matrices, from tiles that stay in registers.

Rows and columns are padded: rows to ROWS, columns to LANES, with what may be read and written. A
matrix is an address and a stride, the floats from one row to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from src.kernels import tiles
from src.kernels.compiling import inner
from src.kernels.machine import LANES, TILES, WIDE, TileShape
from src.kernels.vectors import copy, read, write

_MIDDLE = TILES[1].vectors * TILES[1].lanes


def _make_multiply(then: int) -> Any:
    """Make y[n, columns] = then(x[n, depth] @ w), w as `pack` stores it; n is padded to ROWS."""
    wide, middle, narrow = (_make_columns(then, shape) for shape in TILES)

    @inner
    def multiply(x, x_stride, n, depth, w, columns, y, y_stride, other, other_stride):
        column = 0
        while column < columns:
            width = _width_of_tile(columns - column)
            to, beside = y + 4 * column, other + 4 * column
            if width == WIDE:
                wide(x, x_stride, n, depth, w, to, y_stride, beside, other_stride)
            elif width == _MIDDLE:
                middle(x, x_stride, n, depth, w, to, y_stride, beside, other_stride)
            else:
                narrow(x, x_stride, n, depth, w, to, y_stride, beside, other_stride)
            w += 4 * depth * width
            column += width

    return multiply


@cache  # two of the tiles may be the same
def _make_columns(then: int, shape: TileShape) -> Any:
    """Make the product for the columns of one tile."""
    tile, rows = tiles.make_forward_tile(then, shape), shape.rows

    @inner
    def columns(x, x_stride, n, depth, w, y, y_stride, other, other_stride):
        for row in range(0, n, rows):
            # a mask has rows of its own; the stride of a bias is 0
            beside = other + 4 * row * other_stride
            to = y + 4 * row * y_stride
            tile(x + 4 * row * x_stride, x_stride, depth, w, to, y_stride, beside, other_stride)

    return columns


@inner
def _width_of_tile(left):
    """Return the columns that the next tile takes of those that are left."""
    if left >= WIDE:
        return WIDE
    return _MIDDLE if left >= _MIDDLE else LANES


multiply = _make_multiply(tiles.PLAIN)
multiply_add_relu = _make_multiply(tiles.ADD_RELU)
multiply_bias = _make_multiply(tiles.BIAS)
multiply_bias_relu = _make_multiply(tiles.BIAS_RELU)
multiply_where_positive = _make_multiply(tiles.WHERE_POSITIVE)


def _make_add_outer(shapes: Sequence[TileShape]) -> Any:
    """Make g[m, columns] += d[n, m].T @ x[n, columns]; m is a multiple of the tiles' rows."""
    wide, middle, narrow = (_make_outer_columns(shape) for shape in shapes)

    @inner
    def add_outer(d, d_stride, m, x, x_stride, columns, n, g, g_stride):
        column = 0
        while column < columns:
            width = _width_of_tile(columns - column)
            rows, to = x + 4 * column, g + 4 * column
            if width == WIDE:
                wide(d, d_stride, m, rows, x_stride, n, to, g_stride)
            elif width == _MIDDLE:
                middle(d, d_stride, m, rows, x_stride, n, to, g_stride)
            else:
                narrow(d, d_stride, m, rows, x_stride, n, to, g_stride)
            column += width

    return add_outer


@cache
def _make_outer_columns(shape: TileShape) -> Any:
    tile, rows = tiles.make_outer_tile(shape), shape.rows

    @inner
    def columns(d, d_stride, m, x, x_stride, n, g, g_stride):
        for row in range(0, m, rows):
            tile(d + 4 * row, d_stride, x, x_stride, n, g + 4 * row * g_stride, g_stride)

    return columns


add_outer = _make_add_outer(TILES)
_add_one_outer = _make_add_outer([shape._replace(rows=1) for shape in TILES])


@inner
def add_weighted_rows(d, x, x_stride, columns, n, g):
    """Add the rows of x, each times its weight: g[columns] += d[n] @ x[n, columns]."""
    _add_one_outer(d, 1, 1, x, x_stride, columns, n, g, 0)


@inner
def pack(source, by_row, by_column, rows, columns, to):
    """Store a matrix [rows, columns] as `multiply` reads it: column block by column block.

    by_row, by_column: the floats from one row, one column, to the next.
    """
    column = 0
    while column < columns:
        width = _width_of_tile(columns - column)
        for row in range(rows):
            at = source + 4 * (row * by_row + column * by_column)
            if by_column == 1:
                copy(to, at, width)
            else:
                for place in range(width):
                    write(to, place, read(at, place * by_column))
            to += 4 * width
        column += width

"""Products of small matrices, from tiles that stay in registers.

Rows and columns are padded: rows to ROWS, columns to LANES, with what may be read and written. A
matrix is an address and a stride, the floats from one row to the next.
"""

from __future__ import annotations

from typing import Any

from src.kernels import vectors
from src.kernels.compiling import inner
from src.kernels.vectors import LANES, TILE, TileShape, add, copy, read, write

ROWS = TILE.rows
WIDE = TILE.vectors * TILE.lanes
# Columns of a tile, widest first: what is left of a matrix takes a narrower one
WIDTHS = tuple(width for width in (32, 16, 8) if width <= WIDE)


def _shapes(rows: int) -> list[TileShape]:
    shapes = [
        TileShape(rows, width // TILE.lanes, TILE.lanes) for width in WIDTHS if width >= TILE.lanes
    ]
    return [*shapes, *[TileShape(rows, 1, width) for width in WIDTHS if width < TILE.lanes]]


def pad(n: int, to: int) -> int:
    """Return the next multiple of `to`."""
    return -(-n // to) * to


def _make_multiply(then: int) -> Any:
    """Make y[n, columns] = then(x[n, depth] @ w), w as `pack` stores it; n is padded to ROWS."""
    tiles = [vectors.make_forward_tile(then, shape) for shape in _shapes(ROWS)]
    wide, narrow = tiles[0], tiles[-1]
    middle = tiles[len(tiles) // 2]
    width, half = WIDTHS[0], WIDTHS[len(WIDTHS) // 2]
    # a mask has rows of its own, a bias has one
    other_moves = then == vectors.WHERE_POSITIVE

    @inner
    def multiply(x, x_stride, n, depth, w, columns, y, y_stride, other, other_stride):  # type: ignore[no-untyped-def]
        column = 0
        while column < columns:
            left = columns - column
            step = width if left >= width else (half if left >= half else LANES)
            for row in range(0, n, ROWS):
                x_row, y_row = x + 4 * row * x_stride, y + 4 * (row * y_stride + column)
                other_row = other + 4 * column
                if other_moves:
                    other_row += 4 * row * other_stride
                if step == width:
                    wide(x_row, x_stride, depth, w, y_row, y_stride, other_row, other_stride)
                elif step == half:
                    middle(x_row, x_stride, depth, w, y_row, y_stride, other_row, other_stride)
                else:
                    narrow(x_row, x_stride, depth, w, y_row, y_stride, other_row, other_stride)
            w += 4 * depth * step
            column += step

    return multiply


multiply = _make_multiply(vectors.PLAIN)
multiply_add = _make_multiply(vectors.ADD)
multiply_add_relu = _make_multiply(vectors.ADD_RELU)
multiply_bias = _make_multiply(vectors.BIAS)
multiply_bias_relu = _make_multiply(vectors.BIAS_RELU)
multiply_where_positive = _make_multiply(vectors.WHERE_POSITIVE)


def _make_add_outer(rows: int) -> Any:
    """Make g[m, columns] += d[n, m].T @ x[n, columns]; m is a multiple of `rows`."""
    tiles = [vectors.make_outer_tile(shape) for shape in _shapes(rows)]
    wide, narrow = tiles[0], tiles[-1]
    middle = tiles[len(tiles) // 2]
    width, half = WIDTHS[0], WIDTHS[len(WIDTHS) // 2]

    @inner
    def add_outer(d, d_stride, m, x, x_stride, columns, n, g, g_stride):  # type: ignore[no-untyped-def]
        column = 0
        while column < columns:
            left = columns - column
            step = width if left >= width else (half if left >= half else LANES)
            for row in range(0, m, rows):
                d_row, g_row = d + 4 * row, g + 4 * (row * g_stride + column)
                if step == width:
                    wide(d_row, d_stride, x + 4 * column, x_stride, n, g_row, g_stride)
                elif step == half:
                    middle(d_row, d_stride, x + 4 * column, x_stride, n, g_row, g_stride)
                else:
                    narrow(d_row, d_stride, x + 4 * column, x_stride, n, g_row, g_stride)
            column += step

    return add_outer


add_outer = _make_add_outer(ROWS)
_add_one_outer = _make_add_outer(1)


@inner
def add_weighted_rows(d, x, x_stride, columns, n, g):  # type: ignore[no-untyped-def]
    """Add the rows of x, each times its weight: g[columns] += d[n] @ x[n, columns]."""
    _add_one_outer(d, 1, 1, x, x_stride, columns, n, g, 0)


@inner
def pack(source, by_row, by_column, rows, columns, to):  # type: ignore[no-untyped-def]
    """Store a matrix [rows, columns] as `multiply` reads it: column block by column block.

    by_row, by_column: the floats from one row, one column, to the next.
    """
    column = 0
    while column < columns:
        left = columns - column
        width = WIDTHS[0] if left >= WIDTHS[0] else (16 if left >= 16 else LANES)
        for row in range(rows):
            at = source + 4 * (row * by_row + column * by_column)
            if by_column == 1:
                copy(to, at, width)
            else:
                for place in range(width):
                    write(to, place, read(at, place * by_column))
            to += 4 * width
        column += width

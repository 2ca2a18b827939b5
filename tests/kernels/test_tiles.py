"""Tiles of matrix products against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from src.kernels import tiles
from src.kernels.machine import TileShape
from src.kernels.tiles import make_forward_tile, make_outer_tile
from tests.kernels.test_vectors import at, draw


@pytest.mark.parametrize("shape", [(4, 2, 8), (8, 2, 16), (4, 1, 8), (1, 1, 8)])
@pytest.mark.parametrize("depth", [1, 5, 16])
def test_tiles(shape: tuple[int, int, int], depth: int) -> None:
    # wide ones too, which this machine may have to make of two narrower registers
    kind = TileShape(*shape)
    rows, columns = kind.rows, kind.vectors * kind.lanes
    x, w, y = draw(rows, depth + 3), draw(depth, columns), draw(rows, columns + 2)
    bias, gate = draw(columns, seed=1), draw(rows, columns + 1, seed=2)
    product = x[:, :depth] @ w
    for then, other, stride, expected in (
        (tiles.PLAIN, bias, 0, product),
        (tiles.ADD_RELU, bias, 0, np.maximum(y[:, :columns] + product, 0)),
        (tiles.BIAS, bias, 0, product + bias),
        (tiles.BIAS_RELU, bias, 0, np.maximum(product + bias, 0)),
        (tiles.WHERE_POSITIVE, gate, columns + 1, np.where(gate[:, :columns] > 0, product, 0)),
    ):
        tile = make_forward_tile(then, kind)
        found = y.copy()
        arguments = (at(x), depth + 3, depth, at(w), at(found), columns + 2, at(other), stride)
        njit(lambda a, b, c, d, e, f, g, h: tile(a, b, c, d, e, f, g, h))(*arguments)  # noqa: B023, PLW0108
        np.testing.assert_allclose(found[:, :columns], expected, rtol=1e-4, atol=1e-5)
        assert (found[:, columns:] == y[:, columns:]).all()


@pytest.mark.parametrize("shape", [(4, 2, 8), (8, 2, 16), (1, 1, 8)])
def test_outer_tiles(shape: tuple[int, int, int]) -> None:
    kind = TileShape(*shape)
    rows, columns, n = kind.rows, kind.vectors * kind.lanes, 11
    d, x, before = draw(n, rows + 1), draw(n, columns + 2), draw(rows, columns + 3)
    tile, found = make_outer_tile(kind), before.copy()
    njit(lambda a, b, c, e, f, g, h: tile(a, b, c, e, f, g, h))(  # noqa: PLW0108
        at(d), rows + 1, at(x), columns + 2, n, at(found), columns + 3
    )
    expected = before[:, :columns] + d[:, :rows].T @ x[:, :columns]
    np.testing.assert_allclose(found[:, :columns], expected, rtol=1e-4, atol=1e-5)
    assert (found[:, columns:] == before[:, columns:]).all()

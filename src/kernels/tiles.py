"""Tiles of matrix products, which stay in the machine's registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from src.kernels.llvm import LONG, Builder, Value, fma, load, pointer, relu, splat, store, variable
from src.kernels.machine import TileShape

# What a tile does with its sums before it stores them
PLAIN, ADD_RELU, BIAS, BIAS_RELU, WHERE_POSITIVE = range(5)


def make_forward_tile(then: int, shape: TileShape) -> Any:
    """Make y[rows, columns] = then(x[rows, depth] @ w[depth, columns]), w stored without gaps.

    `then` is PLAIN, or ADD_RELU to what y holds, or BIAS(_RELU) with `other` [columns], or
    WHERE_POSITIVE: 0 where `other` [rows, columns] is not above 0.
    """
    rows, vectors, lanes = shape
    columns = vectors * lanes

    @intrinsic
    def tile(typing, x, x_stride, depth, w, y, y_stride, other, other_stride):
        def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
            x, x_stride, depth, w, y, y_stride, other, other_stride = arguments
            x, w, y, other = (pointer(b, it) for it in (x, w, y, other))
            sums = [
                [variable(b, splat(b, 0.0, lanes)) for _ in range(vectors)] for _ in range(rows)
            ]
            starts = [b.mul(x_stride, LONG(row)) for row in range(rows)]
            with cgutils.for_range(b, depth) as loop:
                at = b.mul(loop.index, LONG(columns))
                weights = [
                    load(b, w, b.add(at, LONG(place * lanes)), lanes) for place in range(vectors)
                ]
                for start, totals in zip(starts, sums, strict=True):
                    value = splat(b, b.load(b.gep(x, [b.add(start, loop.index)])), lanes)
                    for weight, total in zip(weights, totals, strict=True):
                        b.store(fma(b, value, weight, b.load(total)), total)
            zero = splat(b, 0.0, lanes)
            for row in range(rows):
                for place in range(vectors):
                    column = LONG(place * lanes)
                    at = b.add(b.mul(y_stride, LONG(row)), column)
                    value = b.load(sums[row][place])
                    if then in (BIAS, BIAS_RELU):
                        value = b.fadd(value, load(b, other, column, lanes))
                    if then == ADD_RELU:
                        value = b.fadd(value, load(b, y, at, lanes))
                    if then in (BIAS_RELU, ADD_RELU):
                        value = relu(b, value)
                    if then == WHERE_POSITIVE:
                        gate = b.add(b.mul(other_stride, LONG(row)), column)
                        open_ = b.fcmp_ordered(">", load(b, other, gate, lanes), zero)
                        value = b.select(open_, value, zero)
                    store(b, value, y, at)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return tile


def make_outer_tile(shape: TileShape) -> Any:
    """Make g[rows, columns] += d[n, rows].T @ x[n, columns]."""
    rows, vectors, lanes = shape

    @intrinsic
    def tile(typing, d, d_stride, x, x_stride, n, g, g_stride):
        def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
            d, d_stride, x, x_stride, n, g, g_stride = arguments
            d, x, g = (pointer(b, it) for it in (d, x, g))
            places = [
                [b.add(b.mul(g_stride, LONG(row)), LONG(place * lanes)) for place in range(vectors)]
                for row in range(rows)
            ]
            sums = [[variable(b, load(b, g, at, lanes)) for at in row] for row in places]
            with cgutils.for_range(b, n) as loop:
                start = b.mul(loop.index, x_stride)
                values = [
                    load(b, x, b.add(start, LONG(place * lanes)), lanes) for place in range(vectors)
                ]
                start = b.mul(loop.index, d_stride)
                for place in range(rows):
                    factor = splat(b, b.load(b.gep(d, [b.add(start, LONG(place))])), lanes)
                    for value, total in zip(values, sums[place], strict=True):
                        b.store(fma(b, factor, value, b.load(total)), total)
            for starts, totals in zip(places, sums, strict=True):
                for at, total in zip(starts, totals, strict=True):
                    store(b, b.load(total), g, at)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), generate

    return tile

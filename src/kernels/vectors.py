"""Vector code on float32 in memory, written in LLVM's terms; `products` and the steps read better.

Functions take addresses (of the first float, as an integer), so that nothing is counted or checked
at each of the thousands of rows of a step: whoever calls owns the memory and knows its bounds.
Lengths and strides count floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, INT, LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
LANES = 8
"""Floats in a vector of the row operations."""

Builder = Any
Value = Any


class TileShape(NamedTuple):
    """How much of a matrix product stays in registers: rows times vectors of so many lanes."""

    rows: int
    vectors: int
    lanes: int


def choose_tiles() -> tuple[TileShape, TileShape, TileShape]:
    """Return what fills this machine's registers, widest first: 32 of 16 lanes, or 16 of 8."""
    if binding.get_host_cpu_features().get("avx512f"):
        return TileShape(8, 2, 16), TileShape(8, 1, 16), TileShape(8, 1, 8)
    return TileShape(4, 2, 8), TileShape(8, 1, 8), TileShape(8, 1, 8)


TILES = choose_tiles()


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
    def tile(typing, x, x_stride, depth, w, y, y_stride, other, other_stride):  # type: ignore[no-untyped-def]
        def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
            x, x_stride, depth, w, y, y_stride, other, other_stride = arguments
            x, w, y, other = (_pointer(b, it) for it in (x, w, y, other))
            sums = [
                [_variable(b, _splat(b, 0.0, lanes)) for _ in range(vectors)] for _ in range(rows)
            ]
            starts = [b.mul(x_stride, LONG(row)) for row in range(rows)]
            with cgutils.for_range(b, depth) as loop:
                at = b.mul(loop.index, LONG(columns))
                weights = [
                    _load(b, w, b.add(at, LONG(place * lanes)), lanes) for place in range(vectors)
                ]
                for start, row in zip(starts, sums, strict=True):
                    value = _splat(b, b.load(b.gep(x, [b.add(start, loop.index)])), lanes)
                    for weight, total in zip(weights, row, strict=True):
                        b.store(_fma(b, value, weight, b.load(total)), total)
            zero = _splat(b, 0.0, lanes)
            for row in range(rows):
                for place in range(vectors):
                    column = LONG(place * lanes)
                    at = b.add(b.mul(y_stride, LONG(row)), column)
                    value = b.load(sums[row][place])
                    if then in (BIAS, BIAS_RELU):
                        value = b.fadd(value, _load(b, other, column, lanes))
                    if then == ADD_RELU:
                        value = b.fadd(value, _load(b, y, at, lanes))
                    if then in (BIAS_RELU, ADD_RELU):
                        value = _relu(b, value)
                    if then == WHERE_POSITIVE:
                        gate = b.add(b.mul(other_stride, LONG(row)), column)
                        open_ = b.fcmp_ordered(">", _load(b, other, gate, lanes), zero)
                        value = b.select(open_, value, zero)
                    _store(b, value, y, at)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), generate

    return tile


def make_outer_tile(shape: TileShape) -> Any:
    """Make g[rows, columns] += d[n, rows].T @ x[n, columns]."""
    rows, vectors, lanes = shape

    @intrinsic
    def tile(typing, d, d_stride, x, x_stride, n, g, g_stride):  # type: ignore[no-untyped-def]
        def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
            d, d_stride, x, x_stride, n, g, g_stride = arguments
            d, x, g = (_pointer(b, it) for it in (d, x, g))
            places = [
                [b.add(b.mul(g_stride, LONG(row)), LONG(place * lanes)) for place in range(vectors)]
                for row in range(rows)
            ]
            sums = [[_variable(b, _load(b, g, at, lanes)) for at in row] for row in places]
            with cgutils.for_range(b, n) as loop:
                start = b.mul(loop.index, x_stride)
                values = [
                    _load(b, x, b.add(start, LONG(place * lanes)), lanes)
                    for place in range(vectors)
                ]
                start = b.mul(loop.index, d_stride)
                for row in range(rows):
                    factor = _splat(b, b.load(b.gep(d, [b.add(start, LONG(row))])), lanes)
                    for value, total in zip(values, sums[row], strict=True):
                        b.store(_fma(b, factor, value, b.load(total)), total)
            for row, totals in zip(places, sums, strict=True):
                for at, total in zip(row, totals, strict=True):
                    _store(b, b.load(total), g, at)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), generate

    return tile


Body = Callable[[Builder, list[Value], list[Value]], Any]


def _make_row_operation(n_arrays: int, n_scalars: int, body: Body, *, sums: bool = False) -> Any:
    """Make op(address, ..., n, scalar, ...), which applies `body` at each of n places.

    body(builder, values, scalars) returns what takes the place of each array's values, None where
    nothing does; with `sums` it returns one value, and the operation their sum.
    """

    def type_(typing: Any, *given: Any) -> Any:
        arguments = [types.intp] * (n_arrays + 1) + [types.float32] * n_scalars
        signature = (types.float32 if sums else types.void)(*arguments)

        def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
            arrays = [_pointer(b, address) for address in arguments[:n_arrays]]
            n, scalars = arguments[n_arrays], arguments[n_arrays + 1 :]
            whole = b.and_(n, LONG(-LANES))
            wide = _variable(b, _splat(b, 0.0, LANES)) if sums else None
            rest = _variable(b, _splat(b, 0.0, 1)) if sums else None
            for first, last, lanes, total in (
                (LONG(0), whole, LANES, wide),
                (whole, n, 1, rest),
            ):
                spread = [_splat(b, scalar, lanes) for scalar in scalars]
                with cgutils.for_range_slice(b, first, last, LONG(lanes), inc=True) as (i, _):
                    values = [_load(b, array, i, lanes) for array in arrays]
                    made = body(b, values, spread)
                    if total is not None:
                        b.store(b.fadd(b.load(total), made), total)
                        continue
                    for array, value in zip(arrays, made, strict=True):
                        if value is not None:
                            _store(b, value, array, i)
            if not sums:
                return context.get_dummy_value()
            reduce = _llvm(
                b, f"llvm.vector.reduce.fadd.v{LANES}f32", FLOAT, FLOAT, wide.type.pointee
            )  # type: ignore[union-attr]
            start = b.extract_element(b.load(rest), INT(0))
            return b.call(reduce, [start, b.load(wide)], fastmath=("reassoc",))

        return signature, generate

    # numba reads the number of arguments off the function's signature
    names = ", ".join(f"a{place}" for place in range(n_arrays + 1 + n_scalars))
    scope = {"type_": type_}
    exec(f"def operation(typing, {names}):\n    return type_(typing, {names})", scope)
    return intrinsic(scope["operation"])


def _adam(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    w, m, v, g = values
    beta1, rest1, beta2, rest2, scale, eps = scalars
    m = _fma(b, beta1, m, b.fmul(rest1, g))
    v = _fma(b, beta2, v, b.fmul(rest2, b.fmul(g, g)))
    w = _fma(b, scale, b.fdiv(m, b.fadd(_call(b, "sqrt", v), eps)), w)
    return [w, m, v, _like(b, g, 0.0)]


def _fade(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    w, m, v = values
    decay1, decay2, scale, eps = scalars
    w = _fma(b, scale, b.fdiv(m, b.fadd(_call(b, "sqrt", v), eps)), w)
    return [w, b.fmul(m, decay1), b.fmul(v, decay2)]


def _sigmoid(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    x = values[2]
    one, zero = _like(b, x, 1.0), _like(b, x, 0.0)
    small = _exp(b, b.fsub(zero, _call(b, "fabs", x)))
    upper = b.fdiv(one, b.fadd(one, small))
    above = b.fcmp_ordered(">=", x, zero)
    slope = b.select(above, upper, b.fsub(one, upper))
    return [slope, b.fadd(b.select(above, x, zero), _log1p(b, small)), None]


def _exp(b: Builder, x: Value) -> Value:
    """Compute exp(x) for x <= 0, with a relative error of 2e-7 (Cephes' expf)."""
    x = _call(b, "maxnum", x, _like(b, x, -87.0))
    n = _call(b, "nearbyint", b.fmul(x, _like(b, x, 1.44269504088896341)))
    f = _fma(b, n, _like(b, x, -0.693359375), x)
    f = _fma(b, n, _like(b, x, 2.12194440e-4), f)
    p = _like(b, x, 1.9875691500e-4)
    for factor in (
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    ):
        p = _fma(b, p, f, _like(b, x, factor))
    p = b.fadd(_fma(b, p, b.fmul(f, f), f), _like(b, x, 1.0))
    whole = ir.VectorType(INT, x.type.count)
    exponent = b.add(b.fptosi(n, whole), ir.Constant(whole, [127] * whole.count))
    power = b.shl(exponent, ir.Constant(whole, [23] * whole.count))
    return b.fmul(p, b.bitcast(power, x.type))


def _log1p(b: Builder, x: Value) -> Value:
    """Compute log(1 + x) for 0 <= x <= 1, as 2 atanh(x / (2 + x)) by its series."""
    s = b.fdiv(x, b.fadd(x, _like(b, x, 2.0)))
    square, p = b.fmul(s, s), _like(b, x, 1 / 15)
    for power in (13, 11, 9, 7, 5, 3, 1):
        p = _fma(b, p, square, _like(b, x, 1 / power))
    return b.fmul(b.fadd(s, s), p)


def _gate(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    zero = _like(b, values[0], 0.0)
    open_ = b.fcmp_ordered(">", values[2], zero)
    return [b.select(open_, b.fmul(values[1], scalars[0]), zero), None, None]


copy = _make_row_operation(2, 0, lambda b, v, s: [v[1], None])
"""copy(to, x, n): to = x."""
fill = _make_row_operation(1, 1, lambda b, v, s: [s[0]])
"""fill(to, n, value): to = value."""
add = _make_row_operation(2, 0, lambda b, v, s: [b.fadd(v[0], v[1]), None])
"""add(to, x, n): to += x."""
add_scaled = _make_row_operation(2, 1, lambda b, v, s: [_fma(b, s[0], v[1], v[0]), None])
"""add_scaled(to, x, n, factor): to += factor x."""
scale = _make_row_operation(2, 1, lambda b, v, s: [b.fmul(v[1], s[0]), None])
"""scale(to, x, n, factor): to = factor x."""
multiply = _make_row_operation(3, 0, lambda b, v, s: [b.fmul(v[1], v[2]), None, None])
"""multiply(to, x, y, n): to = x y."""
add_product = _make_row_operation(3, 0, lambda b, v, s: [_fma(b, v[1], v[2], v[0]), None, None])
"""add_product(to, x, y, n): to += x y."""
add_relu = _make_row_operation(
    3, 0, lambda b, v, s: [_relu(b, b.fadd(v[1], v[2])), None, None]
)
"""add_relu(to, x, y, n): to = max(x + y, 0)."""
scale_where_positive = _make_row_operation(3, 1, _gate)
"""scale_where_positive(to, x, gate, n, factor): to = factor x where gate > 0, else 0."""
dot = _make_row_operation(2, 0, lambda b, v, s: b.fmul(v[0], v[1]), sums=True)
"""dot(x, y, n): the sum of x y."""
total = _make_row_operation(1, 0, lambda b, v, s: v[0], sums=True)
"""total(x, n): the sum of x."""
sigmoid = _make_row_operation(3, 0, _sigmoid)
"""sigmoid(slope, value, x, n): slope = 1 / (1 + exp(-x)), value = log(1 + exp(x)), its integral."""
exp_below = _make_row_operation(2, 1, lambda b, v, s: [_exp(b, b.fsub(v[1], s[0])), None])
"""exp_below(to, x, n, most): to = exp(x - most), for x <= most."""
adam = _make_row_operation(4, 6, _adam)
"""adam(w, m, v, g, n, beta1, 1 - beta1, beta2, 1 - beta2, scale, eps): a step; sets g to 0."""
fade = _make_row_operation(3, 4, _fade)
"""fade(w, m, v, n, decay1, decay2, scale, eps): w += scale m / (sqrt(v) + eps); then m, v decay."""


@intrinsic
def read(typing, address, place):  # type: ignore[no-untyped-def]
    """Return the float at `place`."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        return b.load(b.gep(_pointer(b, arguments[0]), [arguments[1]]))

    return types.float32(types.intp, types.intp), generate


@intrinsic
def write(typing, address, place, value):  # type: ignore[no-untyped-def]
    """Set the float at `place`."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        b.store(arguments[2], b.gep(_pointer(b, arguments[0]), [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32), generate


@intrinsic
def prefetch(typing, address, n):  # type: ignore[no-untyped-def]
    """Ask for n floats, which are needed soon."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        ask = _llvm(b, "llvm.prefetch.p0", ir.VoidType(), FLOAT.as_pointer(), INT, INT, INT)
        start = _pointer(b, arguments[0])
        with cgutils.for_range_slice(b, LONG(0), arguments[1], LONG(16), inc=True) as (i, _):
            b.call(ask, [b.gep(start, [i]), INT(0), INT(3), INT(1)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


def _pointer(b: Builder, address: Value) -> Value:
    return b.inttoptr(address, FLOAT.as_pointer())


def _variable(b: Builder, value: Value) -> Value:
    place = cgutils.alloca_once(b, value.type)
    b.store(value, place)
    return place


def _splat(b: Builder, value: Value | float, lanes: int) -> Value:
    kind = ir.VectorType(FLOAT, lanes)
    if isinstance(value, float):
        return ir.Constant(kind, [value] * lanes)
    empty = ir.Constant(kind, ir.Undefined)
    first = b.insert_element(empty, value, INT(0))
    return b.shuffle_vector(first, empty, ir.Constant(ir.VectorType(INT, lanes), [0] * lanes))


def _like(b: Builder, vector: Value, value: float) -> Value:
    return _splat(b, value, vector.type.count)


def _load(b: Builder, pointer: Value, place: Value, lanes: int) -> Value:
    kind = ir.VectorType(FLOAT, lanes)
    return b.load(b.bitcast(b.gep(pointer, [place]), kind.as_pointer()), align=4)


def _store(b: Builder, vector: Value, pointer: Value, place: Value) -> None:
    b.store(vector, b.bitcast(b.gep(pointer, [place]), vector.type.as_pointer()), align=4)


def _relu(b: Builder, vector: Value) -> Value:
    zero = _like(b, vector, 0.0)
    return b.select(b.fcmp_ordered(">", vector, zero), vector, zero)


def _fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    return _call(b, "fma", x, y, z)


def _call(b: Builder, name: str, *values: Value) -> Value:
    kind = values[0].type
    return b.call(_llvm(b, f"llvm.{name}.v{kind.count}f32", kind, *[kind] * len(values)), values)


def _llvm(b: Builder, name: str, result: Any, *arguments: Any) -> Any:
    return cgutils.get_or_insert_function(b.module, ir.FunctionType(result, arguments), name)

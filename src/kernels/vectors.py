"""Operations on rows of float32 in memory, such as copy(to, x, n), a vector at a time.

Functions take addresses (of the first float, as an integer), so that nothing is counted or checked
at each of the thousands of rows of a step: whoever calls owns the memory and knows its bounds.
Lengths and strides count floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from src.kernels.llvm import (
    FLOAT,
    INT,
    LONG,
    Builder,
    Value,
    call,
    declare,
    fma,
    like,
    load,
    pointer,
    relu,
    splat,
    store,
    variable,
)
from src.kernels.machine import LANES

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
            arrays = [pointer(b, address) for address in arguments[:n_arrays]]
            n, scalars = arguments[n_arrays], arguments[n_arrays + 1 :]
            whole = b.and_(n, LONG(-LANES))
            wide = variable(b, splat(b, 0.0, LANES)) if sums else None
            rest = variable(b, splat(b, 0.0, 1)) if sums else None
            for first, last, lanes, total in (
                (LONG(0), whole, LANES, wide),
                (whole, n, 1, rest),
            ):
                spread = [splat(b, scalar, lanes) for scalar in scalars]
                with cgutils.for_range_slice(b, first, last, LONG(lanes), inc=True) as (i, _):
                    values = [load(b, array, i, lanes) for array in arrays]
                    made = body(b, values, spread)
                    if total is not None:
                        b.store(b.fadd(b.load(total), made), total)
                        continue
                    for array, value in zip(arrays, made, strict=True):
                        if value is not None:
                            store(b, value, array, i)
            if not sums:
                return context.get_dummy_value()
            kind = ir.VectorType(FLOAT, LANES)
            reduce = declare(b, f"llvm.vector.reduce.fadd.v{LANES}f32", FLOAT, FLOAT, kind)
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
    m = fma(b, beta1, m, b.fmul(rest1, g))
    v = fma(b, beta2, v, b.fmul(rest2, b.fmul(g, g)))
    w = fma(b, scale, b.fdiv(m, b.fadd(call(b, "sqrt", v), eps)), w)
    return [w, m, v, like(b, g, 0.0)]


def _fade(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    w, m, v = values
    decay1, decay2, scale, eps = scalars
    w = fma(b, scale, b.fdiv(m, b.fadd(call(b, "sqrt", v), eps)), w)
    return [w, b.fmul(m, decay1), b.fmul(v, decay2)]


def _sigmoid(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    x = values[2]
    one, zero = like(b, x, 1.0), like(b, x, 0.0)
    small = _exp(b, b.fsub(zero, call(b, "fabs", x)))
    upper = b.fdiv(one, b.fadd(one, small))
    above = b.fcmp_ordered(">=", x, zero)
    slope = b.select(above, upper, b.fsub(one, upper))
    return [slope, b.fadd(b.select(above, x, zero), _log1p(b, small)), None]


def _exp(b: Builder, x: Value) -> Value:
    """Compute exp(x) for x <= 0, with a relative error of 2e-7 (Cephes' expf)."""
    x = call(b, "maxnum", x, like(b, x, -87.0))
    n = call(b, "nearbyint", b.fmul(x, like(b, x, 1.44269504088896341)))
    f = fma(b, n, like(b, x, -0.693359375), x)
    f = fma(b, n, like(b, x, 2.12194440e-4), f)
    p = like(b, x, 1.9875691500e-4)
    for factor in (
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    ):
        p = fma(b, p, f, like(b, x, factor))
    p = b.fadd(fma(b, p, b.fmul(f, f), f), like(b, x, 1.0))
    whole = ir.VectorType(INT, x.type.count)
    exponent = b.add(b.fptosi(n, whole), ir.Constant(whole, [127] * whole.count))
    power = b.shl(exponent, ir.Constant(whole, [23] * whole.count))
    return b.fmul(p, b.bitcast(power, x.type))


def _log1p(b: Builder, x: Value) -> Value:
    """Compute log(1 + x) for 0 <= x <= 1, as 2 atanh(x / (2 + x)) by its series."""
    s = b.fdiv(x, b.fadd(x, like(b, x, 2.0)))
    square, p = b.fmul(s, s), like(b, x, 1 / 15)
    for power in (13, 11, 9, 7, 5, 3, 1):
        p = fma(b, p, square, like(b, x, 1 / power))
    return b.fmul(b.fadd(s, s), p)


def _gate(b: Builder, values: list[Value], scalars: list[Value]) -> list[Value]:
    zero = like(b, values[0], 0.0)
    open_ = b.fcmp_ordered(">", values[2], zero)
    return [b.select(open_, b.fmul(values[1], scalars[0]), zero), None, None]


copy = _make_row_operation(2, 0, lambda b, v, s: [v[1], None])
"""copy(to, x, n): to = x."""
fill = _make_row_operation(1, 1, lambda b, v, s: [s[0]])
"""fill(to, n, value): to = value."""
add = _make_row_operation(2, 0, lambda b, v, s: [b.fadd(v[0], v[1]), None])
"""add(to, x, n): to += x."""
add_scaled = _make_row_operation(2, 1, lambda b, v, s: [fma(b, s[0], v[1], v[0]), None])
"""add_scaled(to, x, n, factor): to += factor x."""
scale = _make_row_operation(2, 1, lambda b, v, s: [b.fmul(v[1], s[0]), None])
"""scale(to, x, n, factor): to = factor x."""
multiply = _make_row_operation(3, 0, lambda b, v, s: [b.fmul(v[1], v[2]), None, None])
"""multiply(to, x, y, n): to = x y."""
add_product = _make_row_operation(3, 0, lambda b, v, s: [fma(b, v[1], v[2], v[0]), None, None])
"""add_product(to, x, y, n): to += x y."""
add_relu = _make_row_operation(3, 0, lambda b, v, s: [relu(b, b.fadd(v[1], v[2])), None, None])
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
def read(typing, address, place):
    """Return the float at `place`."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        return b.load(b.gep(pointer(b, arguments[0]), [arguments[1]]))

    return types.float32(types.intp, types.intp), generate


@intrinsic
def write(typing, address, place, value):
    """Set the float at `place`."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        b.store(arguments[2], b.gep(pointer(b, arguments[0]), [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32), generate


@intrinsic
def prefetch(typing, address, n):
    """Ask for n floats, which are needed soon."""

    def generate(context: Any, b: Builder, signature: Any, arguments: Sequence[Value]) -> Value:
        ask = declare(b, "llvm.prefetch.p0", ir.VoidType(), FLOAT.as_pointer(), INT, INT, INT)
        start = pointer(b, arguments[0])
        with cgutils.for_range_slice(b, LONG(0), arguments[1], LONG(16), inc=True) as (i, _):
            b.call(ask, [b.gep(start, [i]), INT(0), INT(3), INT(1)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate

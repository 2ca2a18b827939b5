"""LLVM's terms for vectors of float32: the words in which `tiles` and `vectors` are written."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

FLOAT, INT, LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)

Builder = Any
Value = Any


def pointer(b: Builder, address: Value) -> Value:
    """Return the address as a pointer to float."""
    return b.inttoptr(address, FLOAT.as_pointer())


def variable(b: Builder, value: Value) -> Value:
    """Return a place that holds the value for now, in a register if there is one."""
    place = cgutils.alloca_once(b, value.type)
    b.store(value, place)
    return place


def splat(b: Builder, value: Value | float, lanes: int) -> Value:
    """Return a vector of so many lanes, each with the value."""
    kind = ir.VectorType(FLOAT, lanes)
    if isinstance(value, float):
        return ir.Constant(kind, [value] * lanes)
    empty = ir.Constant(kind, ir.Undefined)
    first = b.insert_element(empty, value, INT(0))
    return b.shuffle_vector(first, empty, ir.Constant(ir.VectorType(INT, lanes), [0] * lanes))


def like(b: Builder, vector: Value, value: float) -> Value:
    """Return a vector of the value, as wide as the other."""
    return splat(b, value, vector.type.count)


def load(b: Builder, pointer: Value, place: Value, lanes: int) -> Value:
    """Return the vector that begins at `place`."""
    kind = ir.VectorType(FLOAT, lanes)
    return b.load(b.bitcast(b.gep(pointer, [place]), kind.as_pointer()), align=4)


def store(b: Builder, vector: Value, pointer: Value, place: Value) -> None:
    """Write a vector from `place` on."""
    b.store(vector, b.bitcast(b.gep(pointer, [place]), vector.type.as_pointer()), align=4)


def relu(b: Builder, vector: Value) -> Value:
    """Return the larger of each lane and 0."""
    zero = like(b, vector, 0.0)
    return b.select(b.fcmp_ordered(">", vector, zero), vector, zero)


def fma(b: Builder, x: Value, y: Value, z: Value) -> Value:
    """Return x y + z."""
    return call(b, "fma", x, y, z)


def call(b: Builder, name: str, *values: Value) -> Value:
    """Return what LLVM computes of whole vectors under this name."""
    kind = values[0].type
    return b.call(declare(b, f"llvm.{name}.v{kind.count}f32", kind, *[kind] * len(values)), values)


def declare(b: Builder, name: str, result: Any, *arguments: Any) -> Any:
    """Return a function of LLVM, declared in the module."""
    return cgutils.get_or_insert_function(b.module, ir.FunctionType(result, arguments), name)

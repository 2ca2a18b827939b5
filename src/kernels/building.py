"""Compile a function to machine code that is called with two arrays, of integers and of floats."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding
from numba import from_dtype, njit, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from src.kernels.compiling import OPTIONS
from src.kernels.entry import types_of
from src.kernels.machine import target_machine


class Code(NamedTuple):
    """An object file, and what its function is called in it."""

    name: str
    content: bytes


def build(path: str, kinds: Sequence[str]) -> Code:
    """Compile the function at the dotted `path` for arguments of these kinds, see `entry.kind_of`.

    In LLVM's terms it becomes int32 f(double *result, void **, int64 *integers, double *floats).
    """
    module, name = path.rsplit(".", 1)
    made = _write_wrapper(getattr(importlib.import_module(module), name), kinds)
    options: Any = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    wrapper = njit(**options)(made)
    signature = (types.CPointer(types.int64), types.CPointer(types.float64))
    wrapper.compile(types.float64(*signature))
    (compiled,) = wrapper.overloads.values()
    whole = binding.parse_assembly(compiled.library.get_llvm_str())
    return Code(compiled.fndesc.llvm_func_name, target_machine().emit_object(whole))


def _write_wrapper(function: Any, kinds: Sequence[str]) -> Any:
    """Write a function of two arrays that unpacks what `entry.pack` has packed, and calls."""
    scope: dict[str, Any] = {"function": function}
    arguments, n_integers, n_floats = [], 0, 0
    for place, kind in enumerate(kinds):
        if kind == "int":
            arguments.append(f"i[{n_integers}]")
            n_integers += 1
        elif kind == "float":
            arguments.append(f"f[{n_floats}]")
            n_floats += 1
        elif "[" in kind:
            dtype, n_dimensions = kind[:-1].split("[")
            scope[f"view{place}"] = _make_view(np.dtype(dtype), int(n_dimensions))
            last = n_integers + 1 + int(n_dimensions)
            given = ", ".join(f"i[{n}]" for n in range(n_integers, last))
            arguments.append(f"view{place}({given})")
            n_integers = last
        else:
            module, name = kind.rsplit(".", 1)
            group = scope[name] = getattr(importlib.import_module(module), name)
            fields = []
            for field in types_of(group):
                if field is int:
                    fields.append(f"i[{n_integers}]")
                    n_integers += 1
                else:
                    fields.append(f"f[{n_floats}]")
                    n_floats += 1
            arguments.append(f"{name}({', '.join(fields)})")
    exec(f"def wrapper(i, f):\n    return float(function({', '.join(arguments)}))", scope)
    return scope["wrapper"]


def _make_view(dtype: np.dtype[Any], n_dimensions: int) -> Any:
    """Make view(address, *shape), an array of memory that somebody else owns."""
    kind = types.Array(from_dtype(dtype), n_dimensions, "C")

    def type_(typing: Any, *arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            array = context.make_array(kind)(context, builder)
            item = context.get_constant(types.intp, dtype.itemsize)
            shape = list(arguments[1:])
            strides = [item] * n_dimensions
            for place in reversed(range(n_dimensions - 1)):
                strides[place] = builder.mul(strides[place + 1], shape[place + 1])
            data = builder.inttoptr(arguments[0], array.data.type)
            populate_array(array, data, shape, strides, item, meminfo=None)
            return array._getvalue()

        return kind(*[types.int64] * (1 + n_dimensions)), generate

    # numba reads the number of arguments off the function's signature
    names = ", ".join(f"a{place}" for place in range(1 + n_dimensions))
    scope = {"type_": type_}
    exec(f"def view(typing, {names}):\n    return type_(typing, {names})", scope)
    return intrinsic(scope["view"])

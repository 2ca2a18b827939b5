"""Functions that Python calls and that are compiled: once for this machine, then kept on disk.

numba compiles; its machine code is kept as an object file, which LLVM alone loads. So a process
that finds everything compiled never imports numba, which would take it longer than all the rest.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

SOURCE = Path(__file__).resolve().parents[1]

_CALL = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 4)


class Entry:
    """A function by its dotted path, compiled for each combination of kinds it is called with.

    It takes integers, floats, contiguous numpy arrays and NamedTuples of integers and floats, and
    returns one number. While it runs other threads run too.
    """

    def __init__(self, path: str, announcement: str = "") -> None:
        """`announcement`: a line for stderr where the function has to be compiled first."""
        self.path, self.announcement = path, announcement
        self._loaded: dict[tuple[str, ...], Any] = {}

    def __call__(self, *arguments: Any) -> float:
        kinds = tuple(map(kind_of, arguments))
        function = self._loaded.get(kinds)
        if function is None:
            function = self._loaded[kinds] = _Function(self.path, kinds, self.announcement)
        return function(arguments)


class _Function:
    """The machine code of one function for one combination of kinds."""

    def __init__(self, path: str, kinds: tuple[str, ...], announcement: str) -> None:
        key = hashlib.sha256(repr((path, kinds)).encode()).hexdigest()[:16]
        file = choose_folder() / f"{path.rsplit('.', 1)[1]}-{key}.o"
        if not file.exists():
            if announcement:
                print(announcement, file=sys.stderr, flush=True)
            _build(path, kinds, file)
        from src.kernels.machine import load

        name, content = file.read_bytes().split(b"\n", 1)
        self._engine, address = load(name.decode(), content)
        self._call = _CALL(address)

    def __call__(self, arguments: tuple[Any, ...]) -> float:
        integers, floats = pack(arguments)
        result = ctypes.c_double()
        error = ctypes.c_void_p()
        status = self._call(
            ctypes.addressof(result),
            ctypes.addressof(error),
            integers.ctypes.data,
            floats.ctypes.data,
        )
        assert status == 0, "compiled code raised"
        return result.value


def kind_of(argument: Any) -> str:
    """Return what an argument is to compiled code: "int", "float", "int64[2]", a class's path."""
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return f"{argument.dtype}[{argument.ndim}]"
    if isinstance(argument, int | np.integer):
        return "int"
    if isinstance(argument, float):
        return "float"
    kind = type(argument)
    return f"{kind.__module__}.{kind.__qualname__}"


def pack(arguments: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers and the floats of the arguments, one after the other."""
    integers: list[Any] = []
    floats: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            integers += [argument.ctypes.data, *argument.shape]
        elif isinstance(argument, int | np.integer):
            integers.append(int(argument))
        elif isinstance(argument, float):
            floats.append(argument)
        else:
            group: Any = type(argument)
            for value, kind in zip(argument, types_of(group), strict=True):
                (integers if kind is int else floats).append(value)
    return np.array(integers, np.int64), np.array(floats, np.float64)


@cache
def types_of(kind: Any) -> list[type]:
    """Return int or float for each field of a NamedTuple."""
    return list(get_type_hints(kind).values())


def _build(path: str, kinds: tuple[str, ...], file: Path) -> None:
    """Compile, and write the file beside its place first: others may compile the same."""
    from src.kernels.building import build

    code = build(path, kinds)
    handle, unfinished = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "wb") as written:
        written.write(code.name.encode() + b"\n" + code.content)
    Path(unfinished).replace(file)


@cache
def choose_folder() -> Path:
    """Return where what was compiled of just this source, for this machine, is kept.

    It lies beside the source, as Python's own compiled files do, or where that can't be written in
    the user's cache, or else only as long as the process.
    """
    name = f"compiled-{_digest()}"
    for parent in (SOURCE / "kernels" / "__pycache__", Path.home() / ".cache" / "ncf-bench"):
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            _forget_others(folder)
            return folder
    return Path(tempfile.mkdtemp())


def _digest() -> str:
    """Return a digest of the source that is compiled, and of the machine."""
    from src.kernels.machine import describe

    digest = hashlib.sha256(describe().encode())
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_bytes()
        if b"kernels.compiling" in text or file.parent.name == "kernels":
            digest.update(text)
    for layout in sorted(SOURCE.rglob("layout.py")):
        digest.update(layout.read_bytes())
    return digest.hexdigest()[:16]


def _forget_others(folder: Path) -> None:
    """Remove what was compiled of other source, unless it was made for another machine lately."""
    for other in folder.parent.glob("compiled-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)

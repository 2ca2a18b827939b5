"""Compile functions once for this machine, and keep what was compiled."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from numba import njit

SOURCE = Path(__file__).resolve().parents[1]

# fastmath: sums may be taken in any order; no NaN is promised away
FAST = {"reassoc", "contract", "arcp", "nsz"}
OPTIONS: Any = {"fastmath": FAST, "error_model": "numpy", "nogil": True, "_nrt": False}


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that compiled functions call."""
    return njit(**OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into each that calls it: for what is done at every row."""
    return njit(forceinline=True, **OPTIONS)(function)


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, on its first call; the result is kept on disk."""
    with _keeping_in(_choose_folder()):
        return njit(cache=True, **OPTIONS)(function)


def is_kept(compiled: Any) -> bool:
    """Tell whether an `entry` was compiled before, so that its first call takes no time."""
    folder = Path(compiled.stats.cache_path)
    return any(folder.glob(f"*{compiled.py_func.__name__}-*.nbi"))


def try_out() -> None:
    """Compile something small, or find it kept. Raises what numba or LLVM raise if they fail."""
    assert entry(_double)(1) == 2


def _double(number: int) -> int:
    return 2 * number


@contextmanager
def _keeping_in(folder: Path) -> Iterator[None]:
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _choose_folder() -> Path:
    """Return where compiled functions of just this source are kept.

    numba looks at the file of the function alone, but not at those of the functions it calls: hence
    a folder for each state of the source. It lies beside the source, as Python's own compiled
    files do, or where that can't be written in the user's cache.
    """
    digest = _digest_source()
    for parent in (SOURCE / "kernels" / "__pycache__", Path.home() / ".cache" / "ncf-bench"):
        folder = parent / f"compiled-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            _forget_others(folder)
            return folder
    return Path(tempfile.mkdtemp())


def _digest_source() -> str:
    digest = hashlib.sha256()
    for file in sorted(SOURCE.rglob("*.py")):
        if "numba" in (text := file.read_text()) or "src.kernels" in text:
            digest.update(text.encode())
    return digest.hexdigest()[:16]


def _forget_others(folder: Path) -> None:
    for other in folder.parent.glob("compiled-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)

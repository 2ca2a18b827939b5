"""Mark functions that are compiled. Everything that imports numba is imported only to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# sums may be taken in any order; no NaN is promised away
FAST = {"reassoc", "contract", "arcp", "nsz"}
OPTIONS: Any = {"fastmath": FAST, "error_model": "numpy", "_nrt": False}


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that compiled functions call."""
    return njit(**OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into each that calls it: for what is done at every row."""
    return njit(forceinline=True, **OPTIONS)(function)

"""Refusing what would not fit, before it is begun."""

from __future__ import annotations

import psutil

from src.errors import UserError


def require_memory(n_bytes: int, what: str, instead: str) -> None:
    """Raises UserError when `what`, which takes `n_bytes` at its peak, exceeds the free memory.

    `instead` says what the user can do.
    """
    free = psutil.virtual_memory().available
    if n_bytes > free:
        raise UserError(
            f"{what} takes {_size(n_bytes)} of memory and {_size(free)} are free: {instead}"
        )


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.0f} MB"

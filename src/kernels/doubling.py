"""Something small to compile, to see whether that works here."""

from __future__ import annotations

from src.kernels.compiling import inner


@inner
def double(number):
    """Return twice the number."""
    return 2 * number

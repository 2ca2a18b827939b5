"""What tables are printed on."""

from __future__ import annotations

import sys

from rich.console import Console

# Wider than any table
UNFOLDED = 1000


def make_console() -> Console:
    """Make what prints tables: on a terminal as wide as it is, else without folding any line."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNFOLDED)

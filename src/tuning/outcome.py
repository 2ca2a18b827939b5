"""What a trial came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Of a trial that was not cut off and did not fail."""

    value: float
    """What selected its epoch."""
    pruned: bool
    epochs: int
    seconds: float

"""The result of a trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The result of a trial that was not interrupted and did not fail."""

    value: float
    """The value of the metric that selected the trial's epoch."""
    pruned: bool
    epochs: int
    seconds: float

"""Runs alternate, because machines are noisy: only what ran side by side is compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Measured:
    """What one row of the table took, ours and others', in the order of the rounds."""

    ours: list[float]
    others: dict[str, list[float]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.ours)

    def ratio(self, other: str) -> float:
        """How many times longer the other took: the median over rounds of the rounds' ratios."""
        pairs = zip(self.others[other], self.ours, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def alternate(rounds: int, ours: Callable[[], float], **others: Callable[[], float]) -> Measured:
    """Calls each in turn, `rounds` times over; each returns what it measured of itself."""
    measured = Measured([], {name: [] for name in others})
    for _ in range(rounds):
        measured.ours.append(ours())
        for name, other in others.items():
            measured.others[name].append(other())
    return measured


def seconds(work: Callable[[], object]) -> float:
    """How long the call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

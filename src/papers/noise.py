"""Whether a difference from a published number means anything."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

RULE = (
    "A difference is within noise if it is at most 2 √(e² + s² (1 + 1/n)): s is the standard "
    "deviation over seeds, pooled over all systems that have several, which one published run is "
    "taken to have too (0 for models without chance, and where no system has several seeds), n the "
    "number of our seeds, and e the standard error of one run's mean over the test users, who are "
    "the same for both, but whose published results one by one are not known, so that a "
    "correlation of one half with ours is assumed."
)


@dataclass(frozen=True)
class SeedMetric:
    """A metric of runs that differ in their seed alone."""

    values: tuple[float, ...]
    """One value for each seed."""
    error: float
    """The standard error of a run's mean over the test users."""
    between: float = 0.0
    """The standard deviation between seeds, as pooled over systems."""

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds; None of a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def tolerance(self) -> float:
        """The largest difference from a published number that is within noise: see `RULE`."""
        variance = self.error**2 + self.between**2 * (1 + 1 / len(self.values))
        return 2 * float(variance**0.5)


@dataclass(frozen=True)
class Difference:
    """Our number minus the published one."""

    value: float
    verdict: Literal["within", "above", "below"]


def compute_standard_error(per_user: Sequence[float]) -> float:
    """Return the standard error of the mean over users, from one value of each, of two at least."""
    return statistics.stdev(per_user) / float(len(per_user) ** 0.5)


def pool_spread(systems: Iterable[Sequence[float]]) -> float:
    """Return the standard deviation within systems, from the values of each; 0 of single values."""
    several = [values for values in systems if len(values) > 1]
    squares = sum(statistics.variance(values) * (len(values) - 1) for values in several)
    freedom = sum(len(values) - 1 for values in several)
    return float((squares / freedom) ** 0.5) if freedom else 0.0


def compare_means(ours: SeedMetric, published: float) -> Difference:
    """Return the difference of our mean from a published number, and what it means."""
    value = ours.mean - published
    if abs(value) <= ours.tolerance:
        return Difference(value, "within")
    return Difference(value, "above" if value > 0 else "below")

"""Means and differences of systems of which there are runs of several seeds, by resampling."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from src.evaluation.significance import DECIMALS, RESAMPLES

Values = NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)
# Resamples drawn at a time: counts of 6,040 users in 500 of them are 24 MB
TOGETHER = 500

RULE = (
    "Users are drawn with replacement 10,000 times, the same ones for all systems. To each mean is "
    "added that of as many seeds' deviations as there are seeds, drawn from those of all systems "
    "with several, so that a single seed is taken to be as uncertain as any."
)


@dataclass(frozen=True)
class Estimated:
    """A mean, or a difference of means, and its uncertainty."""

    value: float
    low: float
    """The 2.5th percentile of the resampled values."""
    high: float
    """The 97.5th percentile."""
    p: float
    """Of its being zero, two-sided."""


class Resampled(Generic[Name]):
    """Systems' means, resampled over users and seeds: see `RULE`.

    The deviations are a run's mean minus its system's, times sqrt(n / (n - 1)) for n seeds, which
    makes up for the mean's being theirs (Davison and Hinkley 1997, 3.2: residuals, pooled). To draw
    users and seeds both counts twice what a seed does to single users: the intervals are rather too
    wide than too narrow (Owen 2007, "The pigeonhole bootstrap").
    """

    def __init__(self, runs: Mapping[Name, Sequence[Values]]) -> None:
        """Take each system's values by user [U], one array for each seed.

        Raises ValueError when they are not of as many users each.
        """
        flat = [values for seeds in runs.values() for values in seeds]
        lengths = {np.shape(values) for values in flat}
        if len(lengths) > 1:
            raise ValueError(f"runs must be of the same users: shapes {sorted(lengths)}")
        self.means = {name: float(np.mean(seeds)) for name, seeds in runs.items()}
        self.deviations = _list_deviations(runs.values())
        users = iter(_resample_users(np.stack(flat, 1)).T if flat else ())
        generator = np.random.default_rng(1)
        self._drawn: dict[Name, Values] = {}
        for name, seeds in runs.items():
            drawn = np.mean([next(users) for _ in seeds], axis=0)
            if len(self.deviations):
                size = RESAMPLES, len(seeds)
                drawn = drawn + generator.choice(self.deviations, size=size).mean(1)
            self._drawn[name] = drawn

    @property
    def knows_seeds(self) -> bool:
        """Whether any system has several seeds: without them nothing is known of their luck."""
        return len(self.deviations) > 0

    def estimate(self, name: Name) -> Estimated:
        """Return the system's mean."""
        return _summarize(self.means[name], self._drawn[name])

    def compare(self, pairs: Sequence[tuple[Name, Name]]) -> Estimated:
        """Return the mean over pairs of the first system's mean minus the second's."""
        difference = float(np.mean([self.means[a] - self.means[b] for a, b in pairs]))
        resampled = np.mean([self._drawn[a] - self._drawn[b] for a, b in pairs], axis=0)
        return _summarize(difference, resampled)


def _list_deviations(systems: Iterable[Sequence[Values]]) -> Values:
    """Return the deviations of all seeds [S] from their systems' means, of unbiased variance."""
    found = [np.empty(0)]
    for seeds in systems:
        if (n := len(seeds)) > 1:
            means = np.array([values.mean() for values in seeds])
            found.append((means - means.mean()) * np.sqrt(n / (n - 1)))
    return np.concatenate(found)


def _resample_users(values: Values) -> Values:
    """Return means [resamples, runs] of values [U, runs] over users drawn with replacement."""
    generator = np.random.default_rng(0)
    n = len(values)
    counts = (
        generator.multinomial(n, np.full(n, 1 / n), size=TOGETHER)
        for _ in range(RESAMPLES // TOGETHER)
    )
    return np.concatenate([drawn @ values / n for drawn in counts])


def _summarize(value: float, resampled: Values) -> Estimated:
    """Return the value with its interval and p = (1 + #{|v* - v| >= |v|}) / (1 + resamples)."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    # how sums round does not decide what is extreme: as in `significance.compare`
    extreme = np.abs(resampled - value) >= abs(value) - 10**-DECIMALS
    p = (1 + np.count_nonzero(extreme)) / (1 + len(resampled))
    return Estimated(value, float(low), float(high), p)

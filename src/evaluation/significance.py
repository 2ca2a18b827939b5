"""Tests of whether a difference between models, user by user, is more than these users' luck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL = 0.05
# The smallest p after Holm is pairs / resamples: half the level, or no pair could ever pass
RESAMPLES_PER_PAIR = round(2 / LEVEL)
# What differs by less is equal: how sums round decides neither what is extreme nor what is a tie
DECIMALS = 12
# Counts held at a time, 16 MB
NUMBERS_PER_CHUNK = 1 << 21


@dataclass(frozen=True)
class Bootstrap:
    """The mean difference of two models and its uncertainty, found by resampling users."""

    difference: float
    """The mean of a - b over users."""
    low: float
    """The 2.5th percentile of the resampled differences."""
    high: float
    """The 97.5th percentile of the resampled differences."""
    p: float
    """The two-sided p-value."""


def wilcoxon(a: Values, b: Values) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test (1945) of a and b [U], by user.

    Users without a difference are ranked and then left out (Pratt 1959): most users are such, hit
    or missed by both models alike, and dropping them first would rank what differs as if they had
    not been asked. The p-value is 1 where nobody differs.
    """
    from scipy import stats

    difference = np.round(np.asarray(a) - np.asarray(b), DECIMALS)
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference, zero_method="pratt").pvalue)


def holm(p: Values) -> Values:
    """Adjust p-values [m] for m tests (Holm 1979): below a level where the test is rejected.

    The i-th smallest becomes max over j <= i of (m - j + 1) p_(j), at most 1.
    """
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(factors * np.asarray(p)[order]).clip(max=1)
    return adjusted


def compare(per_user: Mapping[str, Values], seed: int = 0) -> pd.DataFrame:
    """Compare any two models by both tests; each has its metric [U] of the same users in order.

    Return one row a pair (a before b in the mapping), with columns a, b, users, mean_a, mean_b,
    difference (a - b), low, high, bootstrap_p, bootstrap_p_holm, wilcoxon_p, wilcoxon_p_holm;
    Holm's correction is over all rows. All pairs share the same resamples. Raises ValueError when
    the shapes differ.

    low and high are the bootstrap's percentile interval of the mean difference, and bootstrap_p is
    its p-value under no difference. With d the mean difference and d* that of users drawn with
    replacement, p = (1 + #{|d* - d| >= |d|}) / (1 + resamples): d* - d is distributed as a
    difference would be if there were none (Efron and Tibshirani 1993, "An Introduction to the
    Bootstrap", 13.3 for the interval, 16.4 for the test; Sakai 2006, "Evaluating Evaluation Metrics
    based on the Bootstrap", for retrieval). Counting the sample itself keeps p above 0 (Davison and
    Hinkley 1997, 4.2).
    """
    pairs = list(combinations(range(len(per_user)), 2))
    values = _stack_columns(list(per_user.values()))
    means = _resample_means(values, resamples_for(len(pairs)), seed) if pairs else values
    names, observed = list(per_user), values.mean(0)
    rows = []
    for a, b in pairs:
        found = _summarize_bootstrap(values[:, a] - values[:, b], means[:, a] - means[:, b])
        rows.append(
            {
                "a": names[a],
                "b": names[b],
                "users": len(values),
                "mean_a": observed[a],
                "mean_b": observed[b],
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "bootstrap_p": found.p,
                "bootstrap_p_holm": np.nan,
                "wilcoxon_p": wilcoxon(values[:, a], values[:, b]),
                "wilcoxon_p_holm": np.nan,
            }
        )
    table = pd.DataFrame(rows)
    for test in ("bootstrap", "wilcoxon") if pairs else ():
        table[f"{test}_p_holm"] = holm(table[f"{test}_p"].to_numpy())
    return table


def resamples_for(pairs: int) -> int:
    """Return how many resamples so many pairs need, so that Holm's correction lets any pass."""
    return max(RESAMPLES, RESAMPLES_PER_PAIR * pairs)


def _stack_columns(values: list[Values]) -> Values:
    """Stack the values [U] of each model as [U, models]."""
    lengths = {np.shape(one) for one in values}
    if len(lengths) > 1 or any(len(shape) != 1 or not shape[0] for shape in lengths):
        raise ValueError(f"paired values must be of the same users: shapes {sorted(lengths)}")
    return np.stack(values, 1).astype(np.float64) if values else np.empty((0, 0))


def _resample_means(values: Values, resamples: int, seed: int) -> Values:
    """Compute means [resamples, models] of values [U, models] over U users drawn with replacement.

    A resample is stored as the count of each user in it, so that one matrix product serves all
    models.
    """
    generator = np.random.default_rng(seed)
    n = len(values)
    per_chunk = max(1, NUMBERS_PER_CHUNK // n)
    means = []
    for first in range(0, resamples, per_chunk):
        rows = min(per_chunk, resamples - first)
        drawn = generator.integers(n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means.append(counts.astype(np.float64) @ values / n)
    return np.concatenate(means)


def _summarize_bootstrap(differences: Values, resampled: Values) -> Bootstrap:
    """Summarize differences [U] by user and the mean differences [resamples] of resamples."""
    difference = float(differences.mean())
    low, high = np.percentile(resampled, [2.5, 97.5])
    extreme = np.abs(resampled - difference) >= abs(difference) - 10**-DECIMALS
    p = (1 + np.count_nonzero(extreme)) / (1 + len(resampled))
    return Bootstrap(difference, float(low), float(high), p)

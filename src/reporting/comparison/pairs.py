"""Paired tests between configurations, as a matrix, a short table and a file of all pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.evaluation.significance import LEVEL, compare, resamples_for
from src.reporting.comparison.configurations import Configuration
from src.reporting.comparison.gathering import by_user
from src.reporting.comparison.measures import Comparison, best_of_each
from src.reporting.pictures.difference_matrix import draw_matrix
from src.tracking.reading import Reader

# What can be tested in seconds: 2,016 pairs
MOST_TESTED = 64
MOST_IN_MATRIX = 16
MOST_IN_TABLE = 10
TESTS = ("bootstrap", "wilcoxon")


@dataclass(frozen=True)
class Pairs:
    """Every two configurations, tested on one per-user metric."""

    metric: str
    table: pd.DataFrame
    """As `significance.compare` makes it."""

    @property
    def names(self) -> set[str]:
        """Of the configurations that were tested."""
        return set(self.table["a"]) | set(self.table["b"])

    @property
    def users(self) -> int:
        return int(self.table["users"].iloc[0])

    @property
    def significant(self) -> int:
        """How many pairs both tests tell apart."""
        return int((self._passed() == 2).sum())

    @property
    def least_p(self) -> float:
        """The smallest p of the bootstrap that so many resamples can show after the correction."""
        n = len(self.table)
        return n / (1 + resamples_for(n))

    def row(self, a: str, b: str) -> pd.Series:
        """The pair's row, with a and b in this order. Raises KeyError when there is none."""
        for first, second in ((a, b), (b, a)):
            found = self.table[(self.table["a"] == first) & (self.table["b"] == second)]
            if len(found):
                return found.iloc[0] if first == a else _turned(found.iloc[0])
        raise KeyError((a, b))

    def beats(self, a: str, b: str) -> bool:
        """Whether a is above b by both tests."""
        row = self.row(a, b)
        return bool(row["difference"] > 0 and all(row[f"{test}_p_holm"] < LEVEL for test in TESTS))

    def draw(self, file: Path, names: Sequence[str], label: str) -> float:
        """The matrix of the configurations `names`, in this order; returns its width in inches."""
        n = len(names)
        differences, passed = np.zeros((n, n)), np.zeros((n, n), dtype=int)
        place = {name: i for i, name in enumerate(names)}
        columns = (self.table["a"], self.table["b"], self.table["difference"], self._passed())
        for one, other, difference, tests in zip(*columns, strict=True):
            if one in place and other in place:
                a, b = place[one], place[other]
                differences[a, b], differences[b, a] = difference, -difference
                passed[a, b] = passed[b, a] = tests
        return draw_matrix(file, names, differences, passed, label)

    def _passed(self) -> pd.Series:
        """How many of the two tests reject, after Holm's correction."""
        return sum((self.table[f"{test}_p_holm"] < LEVEL).astype(int) for test in TESTS)  # type: ignore[return-value]


def compare_pairs(reader: Reader, comparison: Comparison, metric: str) -> Pairs | None:
    """Tests any two configurations whose runs kept `metric` by user; None for fewer than two.

    Of configurations that can't be compared only the largest set of those that can be is tested.
    """
    foremost = comparison.foremost(MOST_TESTED)
    often = Counter(one.comparable for one in foremost)
    alike = [one for one in foremost if one.comparable == often.most_common(1)[0][0]]
    values = by_user(reader, alike, metric)
    if len(values) < 2 or not len(next(iter(values.values()))):
        return None
    return Pairs(metric, compare(values))


def shown_in_matrix(comparison: Comparison, pairs: Pairs) -> list[Configuration]:
    """The first of those that were tested, in reading order."""
    tested = comparison.foremost(MOST_TESTED)
    return comparison.foremost(MOST_IN_MATRIX, [one for one in tested if one.mark in pairs.names])


def telling_pairs(comparison: Comparison, pairs: Pairs) -> list[pd.Series]:
    """The best of each model against each other; of one model the chosen against the others."""
    shown = shown_in_matrix(comparison, pairs)
    heads = [one for one in best_of_each(comparison.by_selector()) if one in shown]
    if len(heads) > 1:
        heads = [one for one in shown if one in heads]
        couples = [(a, b) for i, a in enumerate(heads) for b in heads[i + 1 :]]
    else:
        couples = [(heads[0], one) for one in shown if one is not heads[0]] if heads else []
    return [pairs.row(a.mark, b.mark) for a, b in couples[:MOST_IN_TABLE]]


def _turned(row: pd.Series) -> pd.Series:
    """The same with a and b changed over."""
    swapped = {"a": "b", "b": "a", "mean_a": "mean_b", "mean_b": "mean_a"}
    opposite = {"difference": "difference", "low": "high", "high": "low"}
    turned = row.rename({**swapped, **opposite})[row.index]
    turned[list(opposite)] *= -1
    return turned

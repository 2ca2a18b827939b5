"""Paired tests between configurations, as a matrix, a short table and a file of all pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from src.evaluation.significance import LEVEL, compare, resamples_for
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import Configuration
from src.reporting.comparison.picture_data import collect_by_user
from src.reporting.pictures.difference_matrix import draw_differences
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
    """The pairs, as `significance.compare` returns them."""

    @property
    def names(self) -> set[str]:
        """The marks of the configurations that were tested."""
        return set(self.table["a"]) | set(self.table["b"])

    @property
    def users(self) -> int:
        """How many users the configurations were tested on."""
        return int(self.table["users"].iloc[0])

    @property
    def significant(self) -> int:
        """How many pairs both tests tell apart."""
        return int((self._count_passed() == 2).sum())

    @property
    def least_p(self) -> float:
        """The smallest p of the bootstrap that so many resamples can show after the correction."""
        n = len(self.table)
        return n / (1 + resamples_for(n))

    def find_pair(self, a: str, b: str) -> pd.Series:
        """Return the pair's row with a and b in this order. Raises KeyError when there is none."""
        for first, second in ((a, b), (b, a)):
            found = self.table[(self.table["a"] == first) & (self.table["b"] == second)]
            if len(found):
                return found.iloc[0] if first == a else _swap(found.iloc[0])
        raise KeyError((a, b))

    def beats(self, a: str, b: str) -> bool:
        """Tell whether a is above b by both tests."""
        return bool(self.find_pair(a, b)["difference"] > 0 and self.differ(a, b))

    def differ(self, a: str, b: str) -> bool:
        """Tell whether both tests tell a and b apart."""
        row = self.find_pair(a, b)
        return all(row[f"{test}_p_holm"] < LEVEL for test in TESTS)

    def draw(self, file: Path, names: Sequence[str], label: str) -> float:
        """Write the matrix of these configurations in this order; return its width in inches."""
        n = len(names)
        differences, passed = np.zeros((n, n)), np.zeros((n, n), dtype=int)
        place = {name: i for i, name in enumerate(names)}
        columns = (self.table["a"], self.table["b"], self.table["difference"], self._count_passed())
        for one, other, difference, tests in zip(*columns, strict=True):
            if one in place and other in place:
                a, b = place[one], place[other]
                differences[a, b], differences[b, a] = difference, -difference
                passed[a, b] = passed[b, a] = tests
        return draw_differences(file, names, differences, passed, label)

    def _count_passed(self) -> pd.Series:
        """Return how many of the two tests reject, after Holm's correction, for each pair."""
        return sum((self.table[f"{test}_p_holm"] < LEVEL).astype(int) for test in TESTS)  # type: ignore[return-value]


# the page and the printed table of one comparison show the same tests
@lru_cache(maxsize=4)
def compare_pairs(reader: Reader, comparison: Comparison, metric: str) -> Pairs | None:
    """Test any two configurations whose runs kept `metric` by user; None for fewer than two.

    Of configurations that can't be compared only the largest set of those that can be is tested.
    """
    foremost = comparison.choose_foremost(MOST_TESTED)
    often = Counter(one.comparable for one in foremost)
    alike = [one for one in foremost if one.comparable == often.most_common(1)[0][0]]
    values = collect_by_user(reader, alike, metric)
    if len(values) < 2 or not len(next(iter(values.values()))):
        return None
    return Pairs(metric, compare(values))


def choose_for_matrix(comparison: Comparison, pairs: Pairs) -> list[Configuration]:
    """Return the configurations that the matrix shows, in reading order."""
    tested = comparison.choose_foremost(MOST_TESTED)
    return comparison.choose_foremost(
        MOST_IN_MATRIX, [one for one in tested if one.mark in pairs.names]
    )


def choose_telling_pairs(comparison: Comparison, pairs: Pairs) -> list[pd.Series]:
    """Return the pairs that the short table has: of the best of each model.

    Where there is only one model, its best is paired with its others.
    """
    shown = choose_for_matrix(comparison, pairs)
    heads = [
        one
        for one in comparison.choose_best_of_each(comparison.order_by_selector())
        if one in shown
    ]
    if len(heads) > 1:
        heads = [one for one in shown if one in heads]
        couples = [(a, b) for i, a in enumerate(heads) for b in heads[i + 1 :]]
    else:
        couples = [(heads[0], one) for one in shown if one is not heads[0]] if heads else []
    return [pairs.find_pair(a.mark, b.mark) for a, b in couples[:MOST_IN_TABLE]]


def _swap(row: pd.Series) -> pd.Series:
    """Return the row with a and b swapped."""
    swapped = {"a": "b", "b": "a", "mean_a": "mean_b", "mean_b": "mean_a"}
    opposite = {"difference": "difference", "low": "high", "high": "low"}
    turned = row.rename({**swapped, **opposite})[row.index]
    turned[list(opposite)] *= -1
    return turned

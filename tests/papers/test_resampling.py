"""Means of several seeds, resampled."""

from __future__ import annotations

import numpy as np
import pytest

from src.papers.resampling import Resampled

# 400 users of whom a half are hit
HALF = np.repeat([1.0, 0.0], 200)


def test_users_alone() -> None:
    found = Resampled({"a": [HALF]})
    assert not found.knows_seeds
    one = found.estimate("a")
    assert one.value == 0.5
    # plus and minus 1.96 sqrt(.25 / 400)
    assert (one.low, one.high) == pytest.approx((0.451, 0.549), abs=0.003)


def test_deviations_by_hand() -> None:
    # means 0 and .2: deviations of .1, times sqrt(2 / 1)
    found = Resampled({"a": [np.zeros(10), np.full(10, 0.2)], "b": [np.ones(10)]})
    assert found.deviations.tolist() == pytest.approx([-(0.02**0.5), 0.02**0.5])


def test_a_single_seed_takes_the_deviations_of_the_others() -> None:
    # users who are all alike: what is left is the seeds
    spread = [np.full(10, value) for value in (0.4, 0.6)]
    found = Resampled({"several": spread, "one": [np.full(10, 0.9)]})
    one, several = found.estimate("one"), found.estimate("several")
    # one deviation of .1414, or the mean of two
    assert (one.low, one.high) == pytest.approx((0.9 - 0.02**0.5, 0.9 + 0.02**0.5))
    assert (several.low, several.high) == pytest.approx((0.5 - 0.02**0.5, 0.5 + 0.02**0.5))
    # of both at once the same in a half of the draws
    assert one.p == pytest.approx(1 / 10_001)


def test_pairs_share_what_they_share() -> None:
    found = Resampled({"a": [HALF, HALF], "b": [HALF, HALF]})
    same = found.compare([("a", "b"), ("b", "a")])
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_seeds_are_as_likely_as_they_vary() -> None:
    """Without any difference, p is below .05 in about one of 20 tries."""
    generator = np.random.default_rng(0)
    users = np.repeat([1.0, 0.0], 5)
    low = 0
    for _ in range(100):
        # 9 systems of three seeds, and one of a single seed
        noise = generator.normal(0, 0.05, 28)
        systems = {k: [users + seed for seed in noise[3 * k : 3 * k + 3]] for k in range(10)}
        low += Resampled(systems).compare([(0, 9)]).p < 0.05
    assert 1 <= low <= 10


def test_other_users_are_refused() -> None:
    with pytest.raises(ValueError, match="of the same users"):
        Resampled({"a": [np.zeros(3)], "b": [np.zeros(4)]})

"""When a difference from a published number is within noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.papers.noise import SeedMetric, compare_means, compute_standard_error


def test_standard_error_by_hand() -> None:
    # variance of two hits and two misses: 4 * .25 / 3; of their mean: a quarter of it
    assert compute_standard_error([1, 0, 1, 0]) == pytest.approx((1 / 3 / 4) ** 0.5)


def test_one_seed() -> None:
    one = SeedMetric((0.67,), error=0.006)
    assert one.spread is None
    assert one.tolerance == pytest.approx(0.012)
    assert compare_means(one, 0.6815).verdict == "within"
    assert compare_means(one, 0.6825).verdict == "below"
    assert compare_means(one, 0.6575).verdict == "above"


def test_three_seeds() -> None:
    three = SeedMetric((0.66, 0.67, 0.68), error=0.0)
    assert three.spread == pytest.approx(0.01)
    # 2 * .01 * sqrt(4 / 3)
    assert three.tolerance == pytest.approx(0.023094, abs=1e-6)
    assert compare_means(three, 0.65).value == pytest.approx(0.02)
    assert compare_means(three, 0.65).verdict == "within"
    assert compare_means(three, 0.64).verdict == "above"


SHARES = st.integers(0, 1000).map(lambda n: n / 1000)


@given(st.lists(SHARES, min_size=1, max_size=5), SHARES, SHARES)
def test_noise_does_not_depend_on_the_side(
    values: list[float], error: float, published: float
) -> None:
    ours = SeedMetric(tuple(values), error / 10)
    difference = compare_means(ours, published)
    mirrored = compare_means(ours, 2 * ours.mean - published)
    within = {difference.verdict, mirrored.verdict} == {"within"}
    opposite = {difference.verdict, mirrored.verdict} == {"above", "below"}
    at_the_edge = abs(abs(difference.value) - ours.tolerance) < 1e-9
    assert within or opposite or at_the_edge

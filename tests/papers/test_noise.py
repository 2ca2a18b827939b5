"""When a difference from a published number is within noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.papers.noise import SeedMetric, compare_means, compute_standard_error, pool_spread


def test_standard_error_by_hand() -> None:
    # variance of two hits and two misses: 4 * .25 / 3; of their mean: a quarter of it
    assert compute_standard_error([1, 0, 1, 0]) == pytest.approx((1 / 3 / 4) ** 0.5)


def test_without_a_spread() -> None:
    one = SeedMetric((0.67,), error=0.006)
    assert one.spread is None
    assert one.tolerance == pytest.approx(0.012)
    assert compare_means(one, 0.6815).verdict == "within"
    assert compare_means(one, 0.6825).verdict == "below"
    assert compare_means(one, 0.6575).verdict == "above"


def test_three_seeds() -> None:
    three = SeedMetric((0.66, 0.67, 0.68), error=0.0, between=0.006)
    assert three.spread == pytest.approx(0.01)
    # what all systems have together counts: 2 * .006 * sqrt(4 / 3)
    assert three.tolerance == pytest.approx(0.013856, abs=1e-6)
    assert compare_means(three, 0.66).value == pytest.approx(0.01)
    assert compare_means(three, 0.66).verdict == "within"
    assert compare_means(three, 0.65).verdict == "above"


def test_fewer_seeds_are_more_uncertain() -> None:
    three, one = (SeedMetric((0.67,) * n, error=0.0, between=0.006) for n in (3, 1))
    # 2 * .006 * sqrt(2)
    assert one.tolerance == pytest.approx(0.016971, abs=1e-6)
    assert one.tolerance > three.tolerance


def test_the_pooled_spread_by_hand() -> None:
    # squares 2 of 3 values and 8 of 2, over 2 + 1 degrees of freedom; a single value has none
    assert pool_spread([(1, 2, 3), (1, 5), (9,)]) == pytest.approx((10 / 3) ** 0.5)
    assert pool_spread([(9,)]) == 0.0


SHARES = st.integers(0, 1000).map(lambda n: n / 1000)


@given(st.lists(SHARES, min_size=1, max_size=5), SHARES, SHARES, SHARES)
def test_noise_does_not_depend_on_the_side(
    values: list[float], error: float, between: float, published: float
) -> None:
    ours = SeedMetric(tuple(values), error / 10, between / 10)
    difference = compare_means(ours, published)
    mirrored = compare_means(ours, 2 * ours.mean - published)
    within = {difference.verdict, mirrored.verdict} == {"within"}
    opposite = {difference.verdict, mirrored.verdict} == {"above", "below"}
    at_the_edge = abs(abs(difference.value) - ours.tolerance) < 1e-9
    assert within or opposite or at_the_edge

"""Paired tests against values computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from src.evaluation.significance import LEVEL, compare, holm, resamples_for, wilcoxon

PAIRED = st.lists(
    st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16)), min_size=2, max_size=30
)


def compare_pair(a: np.ndarray, b: np.ndarray) -> pd.Series[Any]:
    """Return the only row of the comparison of two models' values [U]."""
    table = compare({"a": a, "b": b})
    assert len(table) == 1
    return table.iloc[0]


def test_bootstrap_of_two_users() -> None:
    # resampled differences are 0, 1/2 and 1 with probabilities 1/4, 1/2 and 1/4; d = 1/2
    found = compare_pair(np.array([1.0, 1.0]), np.array([0.0, 1.0]))
    assert (found["difference"], found["low"], found["high"]) == (0.5, 0.0, 1.0)
    assert found["bootstrap_p"] == pytest.approx(0.5, abs=0.02)


def test_bootstrap_where_all_users_differ_alike() -> None:
    a = np.array([0.3, 0.9, 0.5])
    found = compare_pair(a, a - 0.25)
    assert found["bootstrap_p"] == 1 / 10_001
    assert (found["low"], found["high"]) == pytest.approx((0.25, 0.25))


def test_bootstrap_of_equals() -> None:
    same = np.array([0.1, 0.7, 0.2])
    assert compare_pair(same, same)["bootstrap_p"] == 1


def test_bootstrap_agrees_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(0).normal(0.05, 1, 2000)
    found = compare_pair(differences, np.zeros(2000))
    error = differences.std() / np.sqrt(2000)
    expected = 2 * norm.sf(differences.mean() / error)
    assert found["bootstrap_p"] == pytest.approx(expected, abs=0.02)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_wilcoxon_by_hand() -> None:
    # all five ranks on one side: 2 of 2^5 sign patterns are as extreme
    assert wilcoxon(np.array([1.0, 2, 3, 4, 5]), np.zeros(5)) == pytest.approx(2 / 32)


def test_wilcoxon_keeps_the_ranks_of_those_without_a_difference() -> None:
    # Pratt: ranks 1, 2 belong to the zeros; W+ = sum of ranks 3 .. 60, its mean and variance are
    # those of 60 ranks less those of 2
    differences = np.array([0.0, 0.0, *range(1, 59)])
    mean = (60 * 61 - 2 * 3) / 4
    variance = (60 * 61 * 121 - 2 * 3 * 5) / 24
    z = (60 * 61 / 2 - 3 - mean) / np.sqrt(variance)
    assert wilcoxon(differences, np.zeros(60)) == pytest.approx(2 * norm.sf(z), rel=1e-6)


def test_wilcoxon_of_equals() -> None:
    # 0.1 + 0.2 is not 0.3, but means of the same metrics are the same
    assert wilcoxon(np.array([0.1 + 0.2, 0.5]), np.array([0.3, 0.5])) == 1


def test_holm_by_hand() -> None:
    # .01 x 3, then .03 x 2, then .04 x 1, which must not fall below the one before it
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([0.2])).tolist() == [0.2]


@settings(deadline=None, max_examples=30)
@given(PAIRED)
def test_turning_a_pair_around(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    one, other = compare_pair(a, b), compare_pair(b, a)
    assert one["bootstrap_p"] == other["bootstrap_p"]
    assert one["difference"] == -other["difference"]
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
    assert wilcoxon(a, b) == pytest.approx(wilcoxon(b, a))


def test_compare_tests_every_pair() -> None:
    generator = np.random.default_rng(1)
    base = generator.random(300)
    models = {"good": base + 0.1, "same": base, "noisy": base + generator.normal(0, 1, 300)}
    table = compare(models)
    assert list(zip(table["a"], table["b"], strict=True)) == [
        ("good", "same"),
        ("good", "noisy"),
        ("same", "noisy"),
    ]
    assert table["difference"][0] == pytest.approx(0.1)
    assert (table["users"] == 300).all()
    for test in ("bootstrap", "wilcoxon"):
        assert table[f"{test}_p_holm"].to_numpy() == pytest.approx(holm(table[f"{test}_p"]))
    for row in table.to_dict("records"):
        alone = compare_pair(models[row["a"]], models[row["b"]])
        assert (row["low"], row["high"]) == pytest.approx((alone["low"], alone["high"]))
        assert row["bootstrap_p"] == alone["bootstrap_p"]
        assert row["wilcoxon_p"] == wilcoxon(models[row["a"]], models[row["b"]])


def test_compare_of_one_model() -> None:
    assert len(compare({"alone": np.ones(5)})) == 0


@pytest.mark.parametrize("pairs", [1, 66, 2016])
def test_enough_resamples_for_a_pair_to_pass(pairs: int) -> None:
    assert resamples_for(pairs) >= 10_000
    assert pairs / (1 + resamples_for(pairs)) < LEVEL


@pytest.mark.parametrize("b", [np.ones(2), np.ones((3, 1))])
def test_values_of_other_users(b: np.ndarray) -> None:
    with pytest.raises(ValueError, match="same users"):
        compare({"a": np.ones(3), "b": b})

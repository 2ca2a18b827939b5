from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import hypergeom

from src.evaluation.estimates import (
    GAMMA,
    compute_correction,
    compute_sampled_rank_chances,
    estimates,
)
from src.evaluation.metrics import metrics_at

KS = [1, 5, 10]
NAMES = [f"{name}@{k}" for k in KS for name in ("hr", "ndcg", "mrr")]

sizes = st.tuples(st.integers(1, 30), st.integers(0, 60)).map(lambda s: (s[0], s[0] + s[1]))


def metrics_of(n_ranks: int) -> NDArray[np.float64]:
    """Return the metrics of true ranks 1, 2, ...: [n_ranks, 9]."""
    found = metrics_at(torch.arange(1, n_ranks + 1), KS)
    assert list(found) == NAMES
    return torch.stack(list(found.values()), dim=1).numpy()


def estimate(name: str, rank: int, n_sampled: int, n_unseen: int) -> float:
    numbers = (torch.tensor([number]) for number in (rank, n_sampled, n_unseen))
    return estimates(*numbers, ks=KS)[name].item()


# the distribution of sampled ranks


def test_two_of_four_negatives() -> None:
    np.testing.assert_allclose(
        compute_sampled_rank_chances(5, n_sampled=2, n_unseen=4),
        np.array([[6, 0, 0], [3, 3, 0], [1, 4, 1], [0, 3, 3], [0, 0, 6]]) / 6,
        atol=1e-15,
    )


@settings(deadline=None)
@given(sizes)
def test_sampled_ranks_are_hypergeometric(size: tuple[int, int]) -> None:
    n, n_unseen = size
    found = compute_sampled_rank_chances(n_unseen + 1, n, n_unseen)
    ranks = np.arange(n_unseen + 1)
    expected = hypergeom.pmf(np.arange(n + 1), n_unseen, ranks[:, None], n)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-13)
    # when every true rank is as likely, so is every sampled one
    np.testing.assert_allclose(found.sum(0), (n_unseen + 1) / (n + 1), rtol=1e-12)


@pytest.mark.parametrize(("n", "n_unseen"), [(99, 3700), (99, 100), (5, 100_000)])
def test_the_first_ranks_of_larger_samples(n: int, n_unseen: int) -> None:
    expected = hypergeom.pmf(np.arange(20), n_unseen, np.arange(20)[:, None], n)
    found = compute_sampled_rank_chances(20, n, n_unseen)
    np.testing.assert_allclose(found, expected[:, : n + 1], rtol=1e-9, atol=1e-15)


# the metric at an unbiased rank


@settings(deadline=None)
@given(sizes)
def test_the_expected_estimate_of_the_rank_is_the_rank(size: tuple[int, int]) -> None:
    n, n_unseen = size
    sampled = np.arange(1, n + 2)
    counts = (torch.full((n + 1,), number) for number in size)
    # the reciprocal rank, without a cut-off, tells the estimate
    name, far = f"unbiased-rank/mrr@{n_unseen + 1}", [n_unseen + 1]
    found = estimates(torch.from_numpy(sampled), *counts, ks=far)[name].numpy()
    expected = compute_sampled_rank_chances(n_unseen + 1, n, n_unseen) @ (1 / found)
    np.testing.assert_allclose(expected, np.arange(1, n_unseen + 2), rtol=1e-10)


def test_metrics_at_an_unbiased_rank() -> None:
    """Take rank 3 among 10 of 25 negatives: about 1 + 25 * 2 / 10 = 6 among all."""
    assert estimate("unbiased-rank/hr@5", 3, 10, 25) == 0
    assert estimate("unbiased-rank/hr@10", 3, 10, 25) == 1
    assert estimate("unbiased-rank/ndcg@10", 3, 10, 25) == pytest.approx(0.356207187108022)
    assert estimate("unbiased-rank/mrr@10", 3, 10, 25) == pytest.approx(1 / 6)
    # rank 2 of 10 among 25: about 3.5
    assert estimate("unbiased-rank/mrr@5", 2, 10, 25) == pytest.approx(1 / 3.5)


# between bias and variance


def by_definition(n: int, n_unseen: int) -> NDArray[np.float64]:
    """Compute the paper's formula, with every true rank as likely as any other."""
    chances = hypergeom.pmf(np.arange(n + 1), n_unseen, np.arange(n_unseen + 1)[:, None], n)
    prior = np.full(n_unseen + 1, 1 / (n_unseen + 1))
    weighted = chances.T * prior
    left = (1 - GAMMA) * weighted @ chances + GAMMA * np.diag(chances.T @ prior)
    return np.linalg.solve(left, weighted @ metrics_of(n_unseen + 1))


def test_one_of_two_negatives() -> None:
    """Check HR@1: sampled ranks have chances (1, 0), (1/2, 1/2), (0, 1) at true ranks 1, 2, 3.

    4 A'A = [[5, 1], [1, 5]], 4 diag(A'1) = 6 I and 4 A' values = (4, 0), so with gamma = 0.01
    [[5.01, 0.99], [0.99, 5.01]] g = (4, 0).
    """
    expected = np.array([5.01, -0.99]) * 4 / (5.01**2 - 0.99**2)
    found = compute_correction(metrics_of(3)[:, :1], n_sampled=1, n_unseen=2)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-14)


@settings(deadline=None)
@given(sizes)
def test_the_minimum_is_the_formula_s(size: tuple[int, int]) -> None:
    n, n_unseen = size
    found = compute_correction(metrics_of(max(KS)), n, n_unseen)
    np.testing.assert_allclose(found, by_definition(n, n_unseen), atol=1e-10)


@pytest.mark.parametrize(("n", "n_unseen"), [(99, 700), (98, 99), (99, 101)])
def test_the_formula_at_the_sizes_in_use(n: int, n_unseen: int) -> None:
    found = compute_correction(metrics_of(max(KS)), n, n_unseen)
    np.testing.assert_allclose(found, by_definition(n, n_unseen), atol=1e-11)


def test_no_other_estimate_has_a_smaller_error() -> None:
    n, n_unseen = 4, 9
    chances, true = compute_sampled_rank_chances(10, n, n_unseen), metrics_of(n_unseen + 1)

    def error(estimate: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = chances @ estimate
        variance = chances @ estimate**2 - mean**2
        return ((mean - true) ** 2 + GAMMA * variance).sum(0)

    best = compute_correction(true, n, n_unseen)
    for place in range(n + 1):
        for step in (-1e-3, 1e-3):
            other = best.copy()
            other[place] += step
            assert (error(other) > error(best)).all()


@pytest.mark.parametrize(("n", "n_unseen"), [(99, 3700), (99, 1400), (20, 50), (3, 1000)])
def test_right_on_average_when_every_rank_is_as_likely(n: int, n_unseen: int) -> None:
    """Check this exactly: sampled ranks are as likely as each other, too."""
    found = compute_correction(metrics_of(max(KS)), n, n_unseen)
    np.testing.assert_allclose(found.mean(0), metrics_of(n_unseen + 1).mean(0), atol=1e-13)


def test_a_simulation() -> None:
    """Draw uniform true ranks among 1001; the raw metrics are ten times too high."""
    n, n_unseen, n_targets = 99, 1000, 100_000
    generator = np.random.default_rng(0)
    true = generator.integers(1, n_unseen + 2, n_targets)
    sampled = 1 + generator.hypergeometric(true - 1, n_unseen - true + 1, n)
    numbers = (torch.full((n_targets,), number) for number in (n, n_unseen))
    found = estimates(torch.from_numpy(sampled), *numbers, ks=KS)
    exact, raw = metrics_at(torch.from_numpy(true), KS), metrics_at(torch.from_numpy(sampled), KS)
    for name in NAMES:
        errors = found[f"bias-variance/{name}"] - exact[name]
        assert abs(errors.mean()) < 5 * errors.std() / n_targets**0.5
        assert abs(errors.mean()) < 0.1 * abs(raw[name].mean() - exact[name].mean())


def test_closer_than_the_raw_metric_when_ranks_are_mostly_good() -> None:
    """Use ranks like a model's, with chances of about 1 / r, unlike what the estimate supposes."""
    n, n_unseen = 99, 2000
    chances = compute_sampled_rank_chances(n_unseen + 1, n, n_unseen)
    prior = 1 / np.arange(1, n_unseen + 2)
    prior /= prior.sum()
    true = prior @ metrics_of(n_unseen + 1)
    found = prior @ chances @ compute_correction(metrics_of(max(KS)), n, n_unseen)
    raw = prior @ chances @ metrics_of(n + 1)
    assert (abs(found - true) < 0.7 * abs(raw - true)).all()


# all targets at once


@settings(deadline=None, max_examples=30)
@given(st.lists(sizes, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_each_target_has_sizes_of_its_own(targets: list[tuple[int, int]], random: object) -> None:
    ranks = [random.randint(1, n + 1) for n, _ in targets]  # type: ignore[attr-defined]
    n_sampled, n_unseen = torch.tensor(targets).unbind(1)
    found = estimates(torch.tensor(ranks), n_sampled, n_unseen, KS)
    assert list(found) == [
        f"{kind}/{n}" for kind in ("unbiased-rank", "bias-variance") for n in NAMES
    ]
    for name, values in found.items():
        assert values.dtype == torch.float64
        alone = [estimate(name, r, *size) for r, size in zip(ranks, targets, strict=True)]
        assert values.tolist() == alone


@pytest.mark.parametrize("n_unseen", [12, 7])  # 7: more were counted than there are
def test_with_all_negatives_sampled_the_metric_is_exact(n_unseen: int) -> None:
    ranks = torch.arange(1, 14)
    found = estimates(ranks, torch.full((13,), 12), torch.full((13,), n_unseen), KS)
    for name, values in metrics_at(ranks, KS).items():
        assert torch.equal(found[f"unbiased-rank/{name}"], values)
        torch.testing.assert_close(found[f"bias-variance/{name}"], values, atol=1e-14, rtol=0)


@pytest.mark.parametrize(("n", "n_unseen"), [(1, 1), (1, 10**6), (99, 10**6), (99, 100), (0, 5)])
def test_finite_at_extremes(n: int, n_unseen: int) -> None:
    ranks = torch.arange(1, n + 2)
    found = estimates(
        ranks, torch.full((n + 1,), n), torch.full((n + 1,), n_unseen), [1, 10, 10**3]
    )
    assert all(values.isfinite().all() for values in found.values())
    assert all((values.abs() < 3).all() for values in found.values())


def test_no_targets() -> None:
    none = torch.empty(0, dtype=torch.long)
    assert all(values.shape == (0,) for values in estimates(none, none, none, KS).values())

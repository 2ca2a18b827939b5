from __future__ import annotations

from math import inf, log2, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.metrics import mean_over_users, metrics_at, ranks


def rank(target: float, candidates: list[float], masked: list[bool] | None = None) -> int:
    mask = None if masked is None else torch.tensor([masked])
    return int(ranks(torch.tensor([target]), torch.tensor([candidates]), mask))


@pytest.mark.parametrize(
    ("target", "candidates", "expected"),
    [
        (0.5, [0.1, 0.2, 0.4], 1),
        (0.5, [0.9, 0.2, 0.4], 2),
        (0.5, [0.9, 0.8, 0.7], 4),
        (0.5, [0.5, 0.1, 0.1], 2),  # ties count against the target
        (0.5, [0.5, 0.5, 0.5], 4),
        (0.5, [nan, 0.1, 0.1], 2),  # and so do scores that are not numbers
        (nan, [0.1, 0.2, 0.3], 4),
        (nan, [nan, nan, nan], 4),
        (inf, [inf, 1.0, -inf], 2),
        (-inf, [-inf, -inf, 0.0], 4),
        (0.5, [], 1),
    ],
)
def test_rank(target: float, candidates: list[float], expected: int) -> None:
    assert rank(target, candidates) == expected


@pytest.mark.parametrize(
    ("masked", "expected"),
    [
        ([False, False, False, False], 4),
        ([True, False, False, False], 3),
        ([True, True, False, True], 1),
        ([False, False, True, False], 4),  # was not ahead anyway
        ([True, True, True, True], 1),
    ],
)
def test_masked_candidates_do_not_count(masked: list[bool], expected: int) -> None:
    assert rank(0.5, [0.9, 0.5, 0.1, nan], masked) == expected


def test_each_target_has_its_own_candidates() -> None:
    found = ranks(torch.tensor([1.0, 2.0]), torch.tensor([[0.0, 3.0], [0.0, 1.0]]))
    assert found.dtype == torch.int64
    assert found.tolist() == [2, 1]


small = st.integers(0, 5)


@given(small, st.lists(small, max_size=20))
def test_rank_is_the_last_of_equals_in_a_sorted_list(target: int, candidates: list[int]) -> None:
    """Whatever the order of the candidates."""
    in_order = sorted([*candidates, target], reverse=True)
    expected = len(in_order) - in_order[::-1].index(target)
    assert rank(float(target), [float(score) for score in candidates]) == expected


@pytest.mark.parametrize("value", [0.0, -3.5, nan])
def test_a_constant_model_scores_0(value: float) -> None:
    found = ranks(torch.full((7,), value), torch.full((7, 99), value))
    assert found.tolist() == [100] * 7
    assert all((values == 0).all() for values in metrics_at(found, [1, 5, 10, 20]).values())


def test_a_perfect_model_scores_1() -> None:
    found = ranks(torch.ones(7), torch.zeros(7, 99))
    assert found.tolist() == [1] * 7
    assert all((values == 1).all() for values in metrics_at(found, [1, 5, 10, 20]).values())


def test_a_random_model_scores_k_in_100() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(40_000, 100, generator=generator)
    found = metrics_at(ranks(scores[:, 0], scores[:, 1:]), [1, 5, 10, 20])
    for k in (1, 5, 10, 20):
        five_errors = 5 * (k / 100 * (1 - k / 100) / 40_000) ** 0.5
        assert found[f"hr@{k}"].mean().item() == pytest.approx(k / 100, abs=five_errors)
        ideal = sum(1 / log2(place + 1) for place in range(1, k + 1)) / 100
        assert found[f"ndcg@{k}"].mean().item() == pytest.approx(ideal, abs=five_errors)


def test_metrics_of_known_ranks() -> None:
    found = metrics_at(torch.tensor([1, 2, 3, 10, 11]), [10])
    assert set(found) == {"hr@10", "ndcg@10", "mrr@10"}
    assert all(values.dtype == torch.float64 for values in found.values())
    assert found["hr@10"].tolist() == [1, 1, 1, 1, 0]
    # 1 / log2(rank + 1), not the natural logarithm
    assert found["ndcg@10"].tolist() == pytest.approx(
        [1, 0.6309297535714575, 0.5, 0.2890648263178879, 0]
    )
    assert found["mrr@10"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 10, 0])


def test_several_cutoffs_in_one_pass() -> None:
    found = metrics_at(torch.tensor([1, 2, 6]), [1, 2, 5])
    assert found["hr@1"].tolist() == [1, 0, 0]
    assert found["hr@2"].tolist() == [1, 1, 0]
    assert found["mrr@5"].tolist() == [1, 0.5, 0]
    assert found["ndcg@1"].tolist() == [1, 0, 0]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_metrics_are_ordered(found: list[int]) -> None:
    metrics = metrics_at(torch.tensor(found), [5, 10])
    for k in (5, 10):
        hr, ndcg, mrr = (metrics[f"{name}@{k}"] for name in ("hr", "ndcg", "mrr"))
        assert (hr >= ndcg).all()
        assert (ndcg >= mrr).all()
    assert (metrics["ndcg@10"] >= metrics["ndcg@5"]).all()


def test_one_target_each_is_the_plain_mean() -> None:
    values = torch.tensor([1.0, 0.0, 0.5, 0.0], dtype=torch.float64)
    assert mean_over_users(values, torch.tensor([7, 0, 3, 5])) == 0.375


def test_users_count_alike_however_many_targets_they_have() -> None:
    values = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.5, 0.0], dtype=torch.float64)
    users = torch.tensor([0, 2, 2, 2, 5, 2])
    assert mean_over_users(values, users) == pytest.approx((1 + 0.25 + 0.5) / 3)

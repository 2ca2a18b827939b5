from __future__ import annotations

from math import inf, log2, nan

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from src.evaluation.metrics import metrics_at, per_user, ranks

LISTWISE = ("hr", "ndcg", "mrr", "map", "precision", "recall", "f1")


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


@settings(deadline=None)
@given(small, st.lists(small, max_size=20))
def test_rank_is_the_last_of_equals_in_a_sorted_list(target: int, candidates: list[int]) -> None:
    """Whatever the order of the candidates."""
    in_order = sorted([*candidates, target], reverse=True)
    expected = len(in_order) - in_order[::-1].index(target)
    assert rank(float(target), [float(score) for score in candidates]) == expected


# one relevant item


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


def test_metrics_of_estimated_ranks() -> None:
    found = metrics_at(torch.tensor([1.5, 2.0, 2.5], dtype=torch.float64), [2])
    assert found["hr@2"].tolist() == [1, 1, 0]
    assert found["ndcg@2"].tolist() == pytest.approx([0.756470797366, 0.630929753571, 0])
    assert found["mrr@2"].tolist() == pytest.approx([2 / 3, 1 / 2, 0])


def test_a_random_model_scores_k_in_100() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(40_000, 100, generator=generator)
    found = metrics_at(ranks(scores[:, 0], scores[:, 1:]), [1, 5, 10, 20])
    for k in (1, 5, 10, 20):
        five_errors = 5 * (k / 100 * (1 - k / 100) / 40_000) ** 0.5
        assert found[f"hr@{k}"].mean().item() == pytest.approx(k / 100, abs=five_errors)
        ideal = sum(1 / log2(place + 1) for place in range(1, k + 1)) / 100
        assert found[f"ndcg@{k}"].mean().item() == pytest.approx(ideal, abs=five_errors)


# users with one target or several

# User 7 has targets of ranks 1, 2 and 9 among 10 negatives, user 3 one of rank 4 among 8
USERS = torch.tensor([7, 3, 7, 7])
RANKS = torch.tensor([9, 4, 1, 2])
N_NEGATIVES = torch.tensor([10, 8, 10, 10])


def test_targets_in_one_list() -> None:
    """User 7's are at positions 1, 3 and 11."""
    users, found = per_user(USERS, RANKS, N_NEGATIVES, [2, 5], together=True)
    assert users.tolist() == [3, 7]
    assert list(found) == [f"{name}@{k}" for k in (2, 5) for name in LISTWISE] + ["auc"]
    assert all(values.dtype == torch.float64 for values in found.values())
    assert {name: values.tolist() for name, values in found.items()} == {
        "hr@2": [0, 1],
        "ndcg@2": pytest.approx([0, 1 / 1.6309297535714573]),
        "mrr@2": [0, 1],
        "map@2": [0, 1 / 2],
        "precision@2": [0, 1 / 2],
        "recall@2": pytest.approx([0, 1 / 3]),
        "f1@2": pytest.approx([0, 0.4]),
        "hr@5": [1, 1],
        "ndcg@5": pytest.approx([0.43067655807339306, 1.5 / 2.1309297535714573]),
        "mrr@5": [1 / 4, 1],
        "map@5": pytest.approx([1 / 4, (1 + 2 / 3) / 3]),
        "precision@5": pytest.approx([1 / 5, 2 / 5]),
        "recall@5": pytest.approx([1, 2 / 3]),
        "f1@5": pytest.approx([1 / 3, 1 / 2]),
        "auc": pytest.approx([5 / 8, (1 + 0.9 + 0.2) / 3]),
    }


def test_targets_each_among_candidates_of_its_own() -> None:
    """At positions 1, 2 and 9 of three lists; metrics are averaged over them."""
    users, found = per_user(USERS, RANKS, N_NEGATIVES, [2, 5], together=False)
    assert users.tolist() == [3, 7]
    assert list(found) == [f"{name}@{k}" for k in (2, 5) for name in LISTWISE] + ["auc"]
    assert {name: values[1].item() for name, values in found.items() if "@2" not in name} == {
        "hr@5": pytest.approx(2 / 3),
        "ndcg@5": pytest.approx(1.6309297535714573 / 3),
        "mrr@5": pytest.approx(1 / 2),
        "map@5": pytest.approx(1 / 2),
        "precision@5": pytest.approx(2 / 15),
        "recall@5": pytest.approx(2 / 3),
        "f1@5": pytest.approx(2 / 9),
        "auc": pytest.approx((1 + 0.9 + 0.2) / 3),
    }
    alone = per_user(USERS[1:2], RANKS[1:2], N_NEGATIVES[1:2], [2, 5], together=True)[1]
    assert all(found[name][0] == alone[name] for name in found)


def test_targets_of_equal_rank_follow_each_other() -> None:
    found = per_user(torch.zeros(2).long(), torch.tensor([2, 2]), torch.tensor([9, 9]), [3], True)
    assert found[1]["map@3"].tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2])
    assert found[1]["mrr@3"].tolist() == [1 / 2]


def test_more_targets_than_places() -> None:
    """Positions 1, 2 and 4 of four targets, the best two places taken: all but recall and F1."""
    n = torch.full((4,), 20)
    found = per_user(torch.zeros(4).long(), torch.tensor([1, 1, 2, 20]), n, [2], True)[1]
    values = {name: value.item() for name, value in found.items()}
    perfect = ("hr@2", "ndcg@2", "mrr@2", "map@2", "precision@2")
    assert all(values[name] == 1 for name in perfect)
    assert values["recall@2"] == 1 / 2
    assert values["f1@2"] == pytest.approx(2 / 3)


def test_a_target_without_negatives_is_first() -> None:
    for together in (True, False):
        one = torch.ones(1, dtype=torch.long)
        found = per_user(one, one, one - 1, [1, 3], together)[1]
        assert found["auc"].tolist() == [1]
        assert found["ndcg@3"].tolist() == [1]


def test_no_targets_at_all() -> None:
    none = torch.empty(0, dtype=torch.long)
    for together in (True, False):
        users, found = per_user(none, none, none, [1, 10], together)
        assert users.shape == found["f1@10"].shape == found["auc"].shape == (0,)


@pytest.mark.parametrize("value", [0.0, -3.5, nan])
@pytest.mark.parametrize("together", [True, False])
def test_a_constant_model_scores_0(value: float, together: bool) -> None:
    found = ranks(torch.full((7,), value), torch.full((7, 99), value))
    assert found.tolist() == [100] * 7
    users = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    metrics = per_user(users, found, torch.full((7,), 99), [1, 5, 10, 20], together)[1]
    assert all((values == 0).all() for values in metrics.values())


def test_a_perfect_model_scores_1() -> None:
    found = ranks(torch.ones(6), torch.zeros(6, 99))
    assert found.tolist() == [1] * 6
    # user 0 has one target, user 1 has five
    users, n = torch.tensor([0, 1, 1, 1, 1, 1]), torch.full((6,), 99)
    together = per_user(users, found, n, [1, 5, 10], together=True)[1]
    apart = per_user(users, found, n, [1, 5, 10], together=False)[1]
    for k in (1, 5, 10):
        for name in ("hr", "ndcg", "mrr", "map"):
            assert together[f"{name}@{k}"].tolist() == apart[f"{name}@{k}"].tolist() == [1, 1]
    assert together["auc"].tolist() == apart["auc"].tolist() == [1, 1]
    # these are 1 only where there are as many targets as places
    assert together["precision@1"].tolist() == apart["precision@1"].tolist() == [1, 1]
    assert together["precision@5"].tolist() == [1 / 5, 1]
    assert together["f1@5"].tolist() == pytest.approx([1 / 3, 1])
    assert together["recall@5"].tolist() == apart["recall@5"].tolist() == [1, 1]
    assert together["recall@1"].tolist() == [1, 1 / 5]


# laws

N = 30
targets = st.lists(st.tuples(st.integers(0, 5), st.integers(1, N + 1)), min_size=1, max_size=25)


def judge(rows: list[tuple[int, int]], together: bool) -> tuple[Tensor, dict[str, Tensor]]:
    users, found = torch.tensor(rows).unbind(1)
    return per_user(users, found, torch.full_like(users, N), [1, 3, 10], together)


@settings(deadline=None)
@given(targets, st.booleans())
def test_metrics_are_ordered(rows: list[tuple[int, int]], together: bool) -> None:
    users, found = judge(rows, together)
    assert users.tolist() == sorted({user for user, _ in rows})
    for values in found.values():
        assert (values >= 0).all()
        assert (values <= 1 + 1e-12).all()
    for k in (1, 3, 10):
        hr, ndcg, mrr, mean_precision, precision, recall, f1 = (
            found[f"{name}@{k}"] for name in LISTWISE
        )
        for values in (ndcg, mrr, mean_precision, precision, recall):
            assert (values <= hr + 1e-12).all()
        assert (mean_precision <= torch.maximum(precision, recall) + 1e-12).all()
        assert (f1 <= torch.maximum(precision, recall) + 1e-12).all()
        assert (f1 >= precision.minimum(recall) - 1e-12).all()
    for name in ("hr", "mrr", "recall"):
        assert (found[f"{name}@10"] >= found[f"{name}@3"]).all()


@settings(deadline=None)
@given(targets, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_targets_does_not_matter(
    rows: list[tuple[int, int]], random: object, together: bool
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found, again = judge(rows, together)[1], judge(shuffled, together)[1]
    assert all(torch.allclose(found[name], again[name], atol=1e-12) for name in found)


@settings(deadline=None)
@given(st.lists(st.integers(1, N + 1), min_size=1, max_size=20))
def test_with_one_target_each_both_ways_agree(found: list[int]) -> None:
    rows = list(enumerate(found))
    together, apart = judge(rows, True)[1], judge(rows, False)[1]
    assert all(torch.equal(together[name], apart[name]) for name in together)
    for name, values in metrics_at(torch.tensor(found), [1, 3, 10]).items():
        assert torch.allclose(together[name], values, atol=1e-12)
    for k in (1, 3, 10):
        assert torch.equal(together[f"recall@{k}"], together[f"hr@{k}"])
        assert torch.allclose(together[f"map@{k}"], together[f"mrr@{k}"], atol=1e-12)
        assert (together[f"hr@{k}"] >= together[f"ndcg@{k}"]).all()
        assert (together[f"ndcg@{k}"] >= together[f"mrr@{k}"]).all()

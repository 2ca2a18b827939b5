"""Metrics over all draws of candidates at once, against every draw one by one."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.evaluation.expectation import compute_draw_chances, expect_per_user
from src.evaluation.metrics import per_user

KS = [1, 2, 10]


def by_every_draw(ahead: int, total: int, drawn: int) -> dict[str, float]:
    """The mean over all sets of `drawn` negatives, of which the first `ahead` are ahead."""
    sets = list(combinations(range(total), min(drawn, total)))
    ranks = torch.tensor([1 + sum(one < ahead for one in chosen) for chosen in sets])
    own = torch.arange(len(sets))
    negatives = torch.full_like(ranks, min(drawn, total))
    values = per_user(own, ranks, negatives, KS, together=False)[1]
    return {name: value.mean().item() for name, value in values.items()}


@given(st.data())
def test_it_is_the_mean_over_every_draw(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 7))
    ahead, drawn = data.draw(st.integers(0, total)), data.draw(st.integers(1, total))
    found = expect_per_user(
        torch.tensor([0]), torch.tensor([1 + ahead]), torch.tensor([total]), drawn, KS
    )[1]
    expected = by_every_draw(ahead, total, drawn)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected)


def test_by_hand() -> None:
    # 4 negatives, 1 of them ahead; of 2 drawn it is one with chance 1/2
    chances = compute_draw_chances(torch.tensor([1]), torch.tensor([4]), 2)
    assert chances.tolist() == [pytest.approx([0.5, 0.5, 0.0])]
    users, values = expect_per_user(torch.tensor([7]), torch.tensor([2]), torch.tensor([4]), 2, [1])
    assert users.tolist() == [7]
    assert values["hr@1"].item() == pytest.approx(0.5)
    assert values["auc"].item() == pytest.approx(0.75)


def test_a_user_s_targets_are_averaged() -> None:
    users, ranks = torch.tensor([3, 1, 3]), torch.tensor([1, 4, 4])
    found, values = expect_per_user(users, ranks, torch.full((3,), 3), 2, [1])
    assert found.tolist() == [1, 3]
    # all three negatives ahead: never first
    assert values["hr@1"].tolist() == pytest.approx([0.0, 0.5])


def test_the_sizes_of_movielens() -> None:
    ranks = torch.tensor([1, 5, 40, 3700])
    chances = compute_draw_chances(ranks - 1, torch.full((4,), 3699), 99)
    assert chances.sum(1).tolist() == pytest.approx([1.0] * 4)
    mean_ahead = (chances * torch.arange(100)).sum(1)
    assert mean_ahead.tolist() == pytest.approx([99 * (r - 1) / 3699 for r in ranks.tolist()])

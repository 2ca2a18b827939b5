"""Which users and items are in which group, and what is averaged over each, by hand."""

from __future__ import annotations

from math import log2
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from src.data.targets import CandidateTargets
from src.evaluation.groups import group_items, group_users
from src.evaluation.ranking import Ranking


def members(groups: dict[str, torch.Tensor]) -> dict[str, list[int]]:
    return {name: rows.nonzero().flatten().tolist() for name, rows in groups.items()}


def test_quarters_of_users() -> None:
    # user 4 is not among the rows, and user 0 twice
    activity = torch.tensor([1, 5, 2, 9, 100])
    users = torch.tensor([0, 1, 2, 3, 0])
    assert members(group_users(activity, users)) == {
        "users-q1": [0, 4],
        "users-q2": [2],
        "users-q3": [1],
        "users-q4": [3],
    }


def test_equally_active_users_are_in_one_quarter() -> None:
    activity = torch.tensor([3, 3, 3, 3, 3, 3, 3, 8])
    assert members(group_users(activity, torch.arange(8))) == {
        "users-q1": [0, 1, 2, 3, 4, 5, 6],
        "users-q2": [],
        "users-q3": [],
        "users-q4": [7],
    }


def test_thirds_of_interactions() -> None:
    # 30 in all: before item 2 are none, before item 0 ten, before items 1 and 4 eighteen
    popularity = torch.tensor([8, 6, 10, 0, 6])
    assert members(group_items(popularity, torch.arange(5))) == {
        "items-head": [2],
        "items-mid": [0, 1, 4],
        "items-tail": [],
        "items-new": [3],
    }
    # 12 in all: before the three items of popularity 2 are six, before the two of popularity 1 ten
    popularity = torch.tensor([2, 6, 2, 1, 1, 0])
    assert members(group_items(popularity, torch.tensor([5, 4, 1, 0]))) == {
        "items-head": [2],
        "items-mid": [3],
        "items-tail": [1],
        "items-new": [0],
    }


def test_what_is_averaged() -> None:
    targets = SimpleNamespace(
        users=torch.tensor([0, 1, 1]),
        targets=torch.tensor([0, 0, 1]),
        activity=torch.tensor([1, 4]),
        popularity=torch.tensor([9, 1]),
        first=0,
    )
    ranking = Ranking(cast("CandidateTargets", targets), torch.device("cpu"), None)
    ranking.ranks[:] = torch.tensor([1, 3, 11])
    ranking.n_negatives[:] = 99
    assert ranking.summarize_groups() == {
        "users-q1/hr@10": 1.0,
        "users-q1/ndcg@10": 1.0,
        # two targets of one user, each in a list of its own
        "users-q4/hr@10": 0.5,
        "users-q4/ndcg@10": pytest.approx(0.5 / log2(4)),
        "items-head/hr@10": 1.0,
        "items-head/ndcg@10": pytest.approx((1 + 1 / log2(4)) / 2),
        "items-tail/hr@10": 0.0,
        "items-tail/ndcg@10": 0.0,
    }

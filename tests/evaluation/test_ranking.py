"""From scores to ranks and lists, batch by batch, and what is reported of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from src.data.interactions import Interactions
from src.data.prepared import Prepared
from src.data.share import WHOLE, Share
from src.data.splitting import Split
from src.data.targets import CandidateBatch, CandidateTargets, CatalogueBatch, CatalogueTargets
from src.evaluation.ranking import Ranking, Scale
from src.models import Recommender
from tests.training.processes import together


class Scores(Recommender):
    """Scores from a table."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(*table.shape)
        self.table = table

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        return self.table[users, items]


def ranking_of(table: Tensor, batch: CandidateBatch | CatalogueBatch, longest: int = 0) -> Ranking:
    n = len(batch.users if isinstance(batch, CandidateBatch) else batch.targets)
    targets = cast("CandidateTargets", SimpleNamespace(users=torch.zeros(n), first=0))
    ranking = Ranking(targets, torch.device("cpu"), None, longest)
    ranking.score(Scores(table), batch)
    return ranking


def ranks_of(table: Tensor, batch: CandidateBatch | CatalogueBatch) -> list[int]:
    return ranking_of(table, batch).ranks.tolist()


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.0, 0.0, 0.0, 0.0], 4),  # constant: behind every candidate
        ([3.0, 1.0, 2.0, 0.0], 1),  # perfect
        ([1.0, 1.0, 2.0, 0.0], 3),  # a tie counts against the target
        ([float("nan")] * 4, 4),
    ],
)
def test_rank_among_candidates(scores: list[float], expected: int) -> None:
    batch = CandidateBatch(torch.tensor([0]), torch.tensor([[0, 1, 2, 3]]))
    assert ranks_of(torch.tensor([scores]), batch) == [expected]


def test_targets_own_duplicates_do_not_count() -> None:
    # as in the released candidates, where 156 users' targets are listed among the negatives
    batch = CandidateBatch(torch.tensor([0]), torch.tensor([[2, 2, 0, 2]]))
    assert ranks_of(torch.tensor([[0.0, 0.0, 1.0]]), batch) == [1]


def test_catalogue_ranks_skip_what_the_user_knows() -> None:
    table = torch.tensor([[5.0, 4.0, 3.0, 2.0], [0.0, 1.0, 2.0, 3.0]])
    known = torch.tensor([[True, False, True, False], [False, False, True, True]])
    batch = CatalogueBatch(
        users=torch.tensor([0, 1]),
        rows=torch.tensor([0, 1, 1]),
        targets=torch.tensor([2, 3, 2]),
        known=known,
    )
    # user 0: item 2 behind item 1 only; user 1: items 3 and 2 ahead of the unknown 0 and 1
    assert ranks_of(table, batch) == [2, 1, 1]


def test_lists_are_of_unseen_items_and_the_targets() -> None:
    table = torch.tensor([[5.0, 4.0, 3.0, 2.0], [0.0, 1.0, 2.0, 3.0]])
    # user 0 knows item 0 and has the target 2; user 1 knows all but item 1, its target is 3
    known = torch.tensor([[True, False, True, False], [True, False, True, True]])
    batch = CatalogueBatch(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([2, 3]), known)
    ranking = ranking_of(table, batch, longest=3)
    assert torch.cat(ranking.lists).tolist() == [[1, 2, 3], [3, 1, -1]]
    assert ranking.n_negatives.tolist() == [2, 1]


def part(users: list[int], items: list[int], ratings: list[float]) -> Interactions:
    return Interactions(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.arange(2),
        np.arange(5),
        np.array(ratings, np.float32),
    )


def prepared() -> Prepared:
    """Two users, five items; user 1's row of test comes first."""
    train = part([0, 0, 1, 1], [0, 1, 0, 2], [5, 4, 3, 1])
    test = part([1, 0], [3, 2], [4, 2])
    candidates = np.array([[1, 4], [4, 3]], np.int32)
    return Prepared(Split(train, part([], [], []), test), {"test": candidates}, "")


TABLE = torch.tensor([[0.0, 0.0, 6.0, 7.0, 1.0], [0.0, 2.0, 0.0, 3.0, 1.0]])


def test_a_part_ranked_among_candidates_and_the_catalogue() -> None:
    summaries = []
    for kind in (CandidateTargets, CatalogueTargets):
        targets = kind(prepared(), "test", torch.device("cpu"))
        ranking = Ranking(targets, torch.device("cpu"), Scale(1, 5), longest=2)
        for batch in targets:
            ranking.score(Scores(TABLE), batch)
        summaries.append((ranking, ranking.summarize([1, 2])))
    (sampled, by_candidates), (whole, by_catalogue) = summaries
    # user 1's item 3 (3.0) is ahead of items 1 and 4; user 0's item 2 (6.0) behind item 3
    assert sampled.ranks.tolist() == [1, 2]
    assert sampled.targets.n_unseen.tolist() == [2, 2]
    # user by user
    assert whole.ranks.tolist() == [2, 1]
    assert whole.targets.rows.tolist() == [1, 0]
    assert torch.cat(whole.lists).tolist() == [[3, 2], [3, 1]]
    for found in (by_candidates, by_catalogue):
        assert found["hr@1"] == 0.5
        assert found["mrr@2"] == 0.75
        # 3 for 4, and 6 clipped to 5 for 2
        assert found["rmse"] == pytest.approx(5**0.5)
        assert found["mae"] == 2
    assert sampled.summarize_lists([1, 2], None) == {}
    assert whole.estimate([1, 2]) == {}
    # every unseen item was a candidate: nothing to be corrected
    assert sampled.estimate([1])["unbiased-rank/hr@1"] == pytest.approx(0.5)


def test_list_metrics_of_the_catalogue() -> None:
    targets = CatalogueTargets(prepared(), "test", torch.device("cpu"))
    ranking = Ranking(targets, torch.device("cpu"), None, longest=2)
    for batch in targets:
        ranking.score(Scores(TABLE), batch)
    found = ranking.summarize_lists([1, 2], torch.eye(5))
    # lists [3, 2] and [3, 1] of 5 items; training counts 0, 1 and 1
    assert found["coverage@2"] == pytest.approx(3 / 5)
    assert found["popularity@2"] == pytest.approx(0.5)
    assert found["personalization@2"] == pytest.approx(0.5)
    assert found["ild-cosine@2"] == pytest.approx(1)


def rank_all(share: Share) -> list[Ranking]:
    found = []
    for kind in (CandidateTargets, CatalogueTargets):
        targets = kind(prepared(), "test", torch.device("cpu"), share)
        ranking = Ranking(targets, torch.device("cpu"), Scale(1, 5), longest=2)
        for batch in targets:
            if batch is not None:
                ranking.score(Scores(TABLE), batch)
        if share is not WHOLE:
            ranking.merge(dist.all_reduce)
        found.append(ranking)
    return found


def test_processes_come_to_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.data.targets.PAIRS_PER_BATCH", {"cpu": 1})
    monkeypatch.setattr("src.data.targets.SCORES_PER_BATCH", 1)
    alone = rank_all(WHOLE)
    for merged in together(3, tmp_path, rank_all):  # for two users: one has nothing to rank
        for one, other in zip(alone, merged, strict=True):
            assert torch.equal(one.ranks, other.ranks)
            assert torch.equal(one.n_negatives, other.n_negatives)
            assert torch.equal(one.scores, other.scores)
            assert one.summarize([1, 2]) == other.summarize([1, 2])
            assert one.summarize_lists([1, 2], None) == other.summarize_lists([1, 2], None)

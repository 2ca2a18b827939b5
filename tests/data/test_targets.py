from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from src.data.candidates import draw_candidates
from src.data.interactions import IntArray, Interactions
from src.data.prepared import Part, Prepared
from src.data.share import Share
from src.data.splitting import Split, leave_one_out
from src.data.targets import CandidateTargets, CatalogueTargets, make_targets
from src.evaluation.metrics import ranks
from tests.data.fakes import interactions

CPU = torch.device("cpu")
DATA = interactions([[0, 1, 2], [3, 4, 5], [5, 0, 3], [1, 2, 4], [0, 5, 2]], 8)
TEST_USERS, TEST_ITEMS = [0, 1, 2, 3, 4], [2, 5, 3, 4, 2]
TEST_CANDIDATES = [[3, 4, 6], [0, 7, 1], [1, 2, 4], [0, 3, 7], [1, 3, 4]]


def prepared(with_candidates: bool = True) -> Prepared:
    """Prepare data with the last of each user's three items as test, the second as validation."""
    train, validation, test = (DATA.take(np.arange(start, 15, 3)) for start in range(3))
    candidates: dict[Part, IntArray] = {
        "val": np.full((5, 3), 7, np.int32),
        "test": np.array(TEST_CANDIDATES, np.int32),
    }
    return Prepared(
        Split(train, validation, test),
        candidates if with_candidates else None,
        "",
    )


def test_the_kind_of_targets_follows_the_candidates() -> None:
    assert isinstance(make_targets(prepared(), "test", CPU), CandidateTargets)
    assert isinstance(make_targets(prepared(with_candidates=False), "test", CPU), CatalogueTargets)


@pytest.mark.parametrize("pairs", [1, 4, 8, 12, 16, 19, 20, 1 << 17])
def test_candidates_stay_beside_their_target_for_any_block_size(
    monkeypatch: pytest.MonkeyPatch, pairs: int
) -> None:
    monkeypatch.setattr("src.data.targets.PAIRS_PER_BATCH", {"cpu": pairs})
    targets = CandidateTargets(prepared(), "test", CPU)
    batches = list(targets)
    assert len(batches) == len(targets) == -(-5 // max(1, pairs // 4))
    assert list(chain.from_iterable(batch.users.tolist() for batch in batches)) == TEST_USERS
    assert list(chain.from_iterable(batch.items.tolist() for batch in batches)) == [
        [2, 3, 4, 6],
        [5, 0, 7, 1],
        [3, 1, 2, 4],
        [4, 0, 3, 7],
        [2, 1, 3, 4],
    ]
    assert all(batch.items.numel() <= max(pairs, 4) for batch in batches)
    assert targets.users.tolist() == TEST_USERS
    assert targets.targets.tolist() == TEST_ITEMS


def test_each_part_has_its_own_rows_and_candidates() -> None:
    (batch,) = CandidateTargets(prepared(), "val", CPU)
    assert batch.users.dtype == batch.items.dtype == torch.int64
    assert batch.items.tolist() == [[item, 7, 7, 7] for item in [1, 4, 0, 2, 5]]


def test_targets_can_be_walked_again() -> None:
    for with_candidates in (True, False):
        targets = make_targets(prepared(with_candidates), "test", CPU)
        assert [batch.users.tolist() for batch in targets] == [TEST_USERS]
        assert [batch.users.tolist() for batch in targets] == [TEST_USERS]


SEVERAL_TEST = [(4, 2), (1, 5), (0, 2), (1, 0), (4, 7), (1, 6)]


def several() -> Prepared:
    """Prepare users 0, 1 and 4 with one, three and two targets, listed in no order."""
    train = DATA.take(np.arange(0, 15, 3))
    pairs = np.array(SEVERAL_TEST, np.int32)
    test = Interactions(pairs[:, 0], pairs[:, 1], DATA.user_ids, DATA.item_ids)
    return Prepared(Split(train, DATA.take(np.arange(1, 15, 3)), test), None, "")


@pytest.mark.parametrize("pairs", [1, 8, 16, 23, 1 << 17])
def test_a_user_may_have_several_targets_in_the_catalogue(
    monkeypatch: pytest.MonkeyPatch, pairs: int
) -> None:
    monkeypatch.setattr("src.data.targets.SCORES_PER_BATCH", pairs)
    targets = CatalogueTargets(several(), "test", CPU)
    batches = list(targets)
    assert len(batches) == len(targets) == -(-3 // max(1, pairs // 8))
    assert list(chain.from_iterable(batch.users.tolist() for batch in batches)) == [0, 1, 4]
    # users ascend, and each one's targets keep the order of the rows
    in_order = [(0, 2), (1, 5), (1, 0), (1, 6), (4, 2), (4, 7)]
    seen = [
        pair
        for batch in batches
        for pair in zip(batch.users[batch.rows].tolist(), batch.targets.tolist(), strict=True)
    ]
    assert seen == in_order
    assert list(zip(targets.users.tolist(), targets.targets.tolist(), strict=True)) == in_order


@pytest.mark.parametrize("pairs", [8, 1 << 17])
def test_known_are_the_items_of_all_parts(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    monkeypatch.setattr("src.data.targets.SCORES_PER_BATCH", pairs)
    known = torch.cat([batch.known for batch in CatalogueTargets(several(), "test", CPU)])
    assert known.dtype == torch.bool
    assert [row.nonzero()[:, 0].tolist() for row in known] == [
        [0, 1, 2],
        [0, 3, 4, 5, 6],
        [0, 2, 5, 7],
    ]


def candidate_ranks(targets: CandidateTargets, scores: Tensor) -> Tensor:
    return torch.cat(
        [
            ranks(table[:, 0], table[:, 1:])
            for table in (scores[batch.users[:, None], batch.items] for batch in targets)
        ]
    )


def catalogue_ranks(targets: CatalogueTargets, scores: Tensor) -> Tensor:
    collected = []
    for batch in targets:
        table = scores[batch.users][batch.rows]
        target_scores = scores[batch.users[batch.rows], batch.targets]
        collected.append(ranks(target_scores, table, batch.known[batch.rows]))
    return torch.cat(collected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_all_unseen_items_as_candidates_rank_like_the_catalogue(
    monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    pairs = data.draw(st.sampled_from([1, 17, 99]))
    monkeypatch.setattr("src.data.targets.PAIRS_PER_BATCH", {"cpu": pairs})
    monkeypatch.setattr("src.data.targets.SCORES_PER_BATCH", pairs)
    n_items, n_users = data.draw(st.integers(4, 8)), data.draw(st.integers(1, 5))
    each = data.draw(st.integers(3, n_items - 1))
    orders = [data.draw(st.permutations(range(n_items))) for _ in range(n_users)]
    split = leave_one_out(interactions([order[:each] for order in orders], n_items), True, 0)
    n = n_items - each
    candidates: dict[Part, IntArray] = {
        **draw_candidates(split, ["val", "test"], n, 0),
    }
    # few different scores, so that ties are many
    flat = data.draw(
        st.lists(st.integers(0, 3), min_size=n_users * n_items, max_size=n_users * n_items)
    )
    scores = torch.tensor(flat).float().view(n_users, n_items)
    for part in candidates:
        sampled = CandidateTargets(Prepared(split, candidates, ""), part, CPU)
        catalogue = CatalogueTargets(Prepared(split, None, ""), part, CPU)
        assert torch.equal(candidate_ranks(sampled, scores), catalogue_ranks(catalogue, scores))


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", [CandidateTargets, CatalogueTargets])
def test_processes_share_the_batches_of_one(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[CandidateTargets | CatalogueTargets],
    world_size: int,
) -> None:
    monkeypatch.setattr("src.data.targets.PAIRS_PER_BATCH", {"cpu": 4})  # a target each
    monkeypatch.setattr("src.data.targets.SCORES_PER_BATCH", 8)  # a user each
    batches = list(kind(prepared(), "test", CPU))
    shared, done = [], 0
    for rank in range(world_size):
        share = kind(prepared(), "test", CPU, Share(rank, world_size))
        own = list(share)
        assert len(share) == len(own)
        if own == [None]:  # more processes than batches
            continue
        assert share.first == done
        shared += own
        done += sum(len(batch[1]) for batch in own)  # a row for each target
    assert len(shared) == len(batches)
    for one, other in zip(batches, shared, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))

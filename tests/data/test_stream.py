from __future__ import annotations

import random
from itertools import chain, combinations

import numpy as np
import pytest
import torch

from src.data.interactions import Interactions
from src.data.share import Share
from src.data.stream import Batch, TrainingStream, UserStream, derive_seed
from src.data.unseen import UnseenLists

SEEN = {0: [0, 1, 2, 3, 4, 5, 6], 1: [0, 2], 2: [5]}
N_ITEMS = 8
POSITIVES = sorted((user, item) for user, items in SEEN.items() for item in items)
BLOCK_SIZES = [1, 3, 6, 7, 1 << 16]


def make_interactions() -> Interactions:
    users = np.array([user for user, _ in POSITIVES], np.int32)
    items = np.array([item for _, item in POSITIVES], np.int32)
    return Interactions(users, items, np.arange(len(SEEN)), np.arange(N_ITEMS))


def make_stream(*, negatives: int = 2, batch_size: int = 9, seed: int = 0) -> TrainingStream:
    """Make a stream of ten positives; by default a batch has three, each with two negatives."""
    data = make_interactions()
    return TrainingStream(
        torch.from_numpy(data.users),
        torch.from_numpy(data.items),
        UnseenLists(data),
        negatives,
        batch_size,
        seed,
    )


def whole_epoch(stream: TrainingStream, epoch: int) -> Batch:
    batches = [stream.batch(epoch, step) for step in range(stream.n_steps)]
    return Batch(
        torch.cat([batch.users for batch in batches]), torch.cat([batch.items for batch in batches])
    )


def positives(batch: Batch) -> list[tuple[int, int]]:
    return list(zip(batch.users.tolist(), batch.items[:, 0].tolist(), strict=True))


def equal(one: Batch, other: Batch) -> bool:
    return torch.equal(one.users, other.users) and torch.equal(one.items, other.items)


@pytest.mark.parametrize("block", BLOCK_SIZES)
def test_any_order_of_calls_gives_the_same_batches(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("src.data.stream.POSITIVES_PER_BLOCK", block)
    stream = make_stream()
    calls = [(epoch, step) for epoch in range(3) for step in range(stream.n_steps)]
    expected = {call: make_stream().batch(*call) for call in calls}
    for call in random.Random(0).sample(calls * 3, len(calls) * 3):
        assert equal(stream.batch(*call), expected[call])


def test_global_random_state_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make_stream().batch(0, 0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert equal(make_stream().batch(0, 0), first)


def test_another_seed_or_epoch_gives_another_order_and_other_negatives() -> None:
    epochs = [whole_epoch(make_stream(seed=seed), epoch) for seed in range(3) for epoch in range(3)]
    for one, other in combinations(epochs, 2):
        assert positives(one) != positives(other)
        assert not torch.equal(one.items[:, 1:], other.items[:, 1:])


@pytest.mark.parametrize("block", BLOCK_SIZES)
def test_every_positive_once_an_epoch(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("src.data.stream.POSITIVES_PER_BLOCK", block)
    stream = make_stream()
    for epoch in range(5):
        assert sorted(positives(whole_epoch(stream, epoch))) == POSITIVES


@pytest.mark.parametrize("block", BLOCK_SIZES)
def test_negatives_are_never_training_positives(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("src.data.stream.POSITIVES_PER_BLOCK", block)
    stream = make_stream(negatives=4, batch_size=20)
    for epoch in range(20):
        batch = whole_epoch(stream, epoch)
        for user, drawn in zip(batch.users.tolist(), batch.items[:, 1:].tolist(), strict=True):
            assert not set(drawn) & set(SEEN[user])


def test_all_unseen_items_are_drawn() -> None:
    stream = make_stream(negatives=4)
    drawn: dict[int, set[int]] = {user: set() for user in SEEN}
    for epoch in range(40):
        batch = whole_epoch(stream, epoch)
        for user, row in zip(batch.users.tolist(), batch.items[:, 1:].tolist(), strict=True):
            drawn[user] |= set(row)
    assert drawn == {user: set(range(N_ITEMS)) - set(items) for user, items in SEEN.items()}


@pytest.mark.parametrize(
    ("negatives", "batch_size", "sizes"),
    [
        (2, 9, [3, 3, 3, 1]),
        (2, 11, [3, 3, 3, 1]),  # rounded down to whole positives
        (4, 25, [5, 5]),
        (4, 1024, [10]),
        (4, 1, [1] * 10),  # never less than one positive
    ],
)
@pytest.mark.parametrize("block", BLOCK_SIZES)
def test_batch_size_counts_positives_and_negatives(
    monkeypatch: pytest.MonkeyPatch, block: int, negatives: int, batch_size: int, sizes: list[int]
) -> None:
    monkeypatch.setattr("src.data.stream.POSITIVES_PER_BLOCK", block)
    stream = make_stream(negatives=negatives, batch_size=batch_size)
    assert stream.n_steps == len(sizes)
    batches = [stream.batch(0, step) for step in range(stream.n_steps)]
    assert [tuple(batch.users.shape) for batch in batches] == [(size,) for size in sizes]
    assert [tuple(batch.items.shape) for batch in batches] == [(n, 1 + negatives) for n in sizes]


def test_iterating_gives_the_batches_of_the_epoch_that_was_set() -> None:
    stream = make_stream()
    for epoch in (0, 3, 1):
        stream.sampler.set_epoch(epoch)
        lists = list(stream)
        assert len(lists) == len(stream)
        for step, batch in enumerate(chain.from_iterable(lists)):
            assert equal(batch, make_stream().batch(epoch, step))
        assert step == stream.n_steps - 1


def test_lists_are_full_but_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.data.stream.POSITIVES_PER_CALL", 3 * make_stream().per_batch)
    monkeypatch.setattr("src.data.stream.CALLS_PER_EPOCH", 1)
    stream = make_stream()
    sizes = [len(batches) for batches in stream]
    assert sizes == [3] * (stream.n_steps // 3) + [stream.n_steps % 3] * (stream.n_steps % 3 > 0)
    assert len(stream) == len(sizes)


def test_the_epoch_may_be_set_after_the_iterator_was_asked_for() -> None:
    stream = make_stream()
    lists = iter(stream)  # as Lightning does when it resumes
    stream.set_epoch(2)
    for step, batch in enumerate(chain.from_iterable(lists)):
        assert equal(batch, make_stream().batch(2, step))


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_processes_share_every_batch(world_size: int) -> None:
    stream = make_stream()
    for step in range(stream.n_steps):  # the last batch has one positive
        batch = stream.batch(1, step)
        parts = [Share(rank, world_size).of(len(batch.users)) for rank in range(world_size)]
        assert torch.equal(torch.cat([batch.users[part] for part in parts]), batch.users)
        assert torch.equal(torch.cat([batch.items[part] for part in parts]), batch.items)
        sizes = [part.stop - part.start for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_derived_seeds_differ_in_every_key() -> None:
    keys = [(), (0,), (1,), (0, 0), (1, 0), (0, 1), (1, 2), (2, 1), (1, 2, 0), (1, 2, 0, 0)]
    keys += [(1, 2, 0, 1), (1, 2, 1, 0), (2**32 + 1, 2), (2**40, 2)]
    assert len({derive_seed(*key) for key in keys}) == len(keys)
    assert all(0 <= derive_seed(*key) < 2**63 for key in keys)


def test_shuffling_and_negatives_have_independent_random_numbers() -> None:
    stream = make_stream()
    seeds = {
        stream._make_generator(5).initial_seed(),
        stream._make_generator(5, 0, 0).initial_seed(),
    }
    assert len(seeds) == 2


def test_examples_stay_what_they_were() -> None:
    stream = make_stream()
    first, last = stream.batch(0, 0), stream.batch(1, 3)
    assert first.users.tolist() == [0, 1, 2]
    assert first.items.tolist() == [[3, 7, 7], [2, 1, 5], [5, 1, 1]]
    assert last.users.tolist() == [1]
    assert last.items.tolist() == [[2, 7, 6]]


def make_user_stream(unseen: UnseenLists | None = None, negatives: int = 0) -> UserStream:
    """Make a stream of three users, two a step; a fourth has nothing."""
    users = torch.tensor([user for user, _ in POSITIVES], dtype=torch.int32)
    items = torch.tensor([item for _, item in POSITIVES], dtype=torch.int32)
    # interactions in any order
    return UserStream(users.flip(0), items.flip(0), 4, N_ITEMS, 2, 0, unseen, negatives)


def test_every_user_with_items_comes_once_an_epoch_with_all_of_them() -> None:
    stream = make_user_stream()
    assert stream.n_steps == 2
    orders = []
    for epoch in range(4):
        batches = [stream.batch(epoch, step) for step in range(2)]
        assert [len(batch.users) for batch in batches] == [2, 1]
        orders.append(torch.cat([batch.users for batch in batches]).tolist())
        found: dict[int, list[int]] = {}
        for batch in batches:
            for row, item in zip(batch.rows.tolist(), batch.items.tolist(), strict=True):
                found.setdefault(int(batch.users[row]), []).append(item)
        assert {user: sorted(items) for user, items in found.items()} == SEEN
    assert len({tuple(order) for order in orders}) > 1


def test_batches_of_users_are_the_same_whenever_they_are_asked_for() -> None:
    calls = [(epoch, step) for epoch in range(3) for step in range(2)]
    expected = {call: make_user_stream().batch(*call) for call in calls}
    stream = make_user_stream()
    for call in random.Random(0).sample(calls * 3, len(calls) * 3):
        for one, other in zip(stream.batch(*call), expected[call], strict=True):
            assert torch.equal(one, other)


def test_users_have_negatives_of_their_own_if_any() -> None:
    plain = make_user_stream()
    assert plain.batch(0, 0).negatives.shape == (2, 0)
    unseen = UnseenLists(make_interactions())
    drawing = make_user_stream(unseen, negatives=50)
    for step in range(2):
        batch = drawing.batch(3, step)
        assert torch.equal(batch.users, plain.batch(3, step).users)
        for user, drawn in zip(batch.users.tolist(), batch.negatives.tolist(), strict=True):
            assert set(drawn) == set(range(N_ITEMS)) - set(SEEN[user])
    assert torch.equal(drawing.batch(3, 1).negatives, batch.negatives)
    assert not torch.equal(drawing.batch(4, 1).negatives, batch.negatives)

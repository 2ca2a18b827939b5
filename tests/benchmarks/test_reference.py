"""The loops that we compare with: they must be right, or the comparison is worth nothing."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.reference import PerSample, PlainLoop, PlainNeuMF, per_sample_epoch
from src.data.interactions import Interactions

SEEN = {0: {0, 1, 2}, 1: {3}, 2: {0, 4}}
PAIRS = [(user, item) for user, items in SEEN.items() for item in items]
TRAIN = Interactions(
    users=np.array([user for user, _ in PAIRS], np.int32),
    items=np.array([item for _, item in PAIRS], np.int32),
    user_ids=np.arange(3),
    item_ids=np.arange(5),
)


def test_the_vectorized_loops_negatives_are_unseen() -> None:
    loop = PlainLoop(TRAIN, negatives=50, batch_size=7, seed=0)
    for user, row in zip(TRAIN.users, loop.draw(), strict=True):
        assert set(row.tolist()) == set(range(5)) - SEEN[int(user)]


def test_the_vectorized_loop_learns_its_examples() -> None:
    loop = PlainLoop(TRAIN, negatives=3, batch_size=7, seed=0)
    for _ in range(600):
        assert loop.epoch() == len(PAIRS) * 4
    for user, seen in SEEN.items():
        scores = loop.model(torch.full((5,), user), torch.arange(5))
        assert {int(i) for i in (scores > 0).nonzero()} == seen
    assert loop.epoch(max_steps=1) == 7


def test_the_samples_are_positives_and_unseen_items() -> None:
    samples = PerSample(TRAIN, negatives=4, seed=0)
    samples.draw()
    assert sum(label for _, _, label in samples) == len(PAIRS)
    assert len(samples) == len(PAIRS) * 5
    for user, item, label in samples:
        assert (item in SEEN[user]) == bool(label)
    torch.manual_seed(0)
    assert per_sample_epoch(samples, PlainNeuMF(3, 5), batch_size=8) == len(PAIRS) * 5

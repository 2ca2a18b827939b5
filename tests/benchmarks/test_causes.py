"""What the table of causes rests on: single examples, the changes, and how they are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.causes.runs import Seed, make_missing
from benchmarks.causes.settings import CHOSEN_ON_TEST, GMF_16, Change, Study
from benchmarks.causes.single_examples import ExampleStream
from benchmarks.causes.table import BEST_SEED, format_study
from src.data.stream import TrainingStream
from src.data.unseen import UnseenItems
from src.errors import UserError
from tests.benchmarks.test_reference import PAIRS, SEEN, TRAIN


def make_stream(negatives: int = 3, batch_size: int = 7) -> ExampleStream:
    users, items = torch.from_numpy(TRAIN.users), torch.from_numpy(TRAIN.items)
    unseen = UnseenItems(TRAIN, device=torch.device("cpu"))
    grouped = TrainingStream(users, items, unseen, negatives, batch_size, seed=0)
    return ExampleStream(grouped, batch_size)


def test_each_positive_comes_once_an_epoch_and_negatives_are_unseen() -> None:
    stream = make_stream()
    assert stream.n_steps == 4  # 6 positives with 3 negatives each, 7 a step
    epochs = []
    for epoch in range(2):
        batches = [stream.batch(epoch, step) for step in range(stream.n_steps)]
        rows = [tuple(map(float, row)) for batch in batches for row in zip(*batch, strict=True)]
        assert len(rows) == 24
        assert sorted((u, i) for u, i, rating in rows if rating) == sorted(PAIRS)
        assert all(i not in SEEN[int(u)] for u, i, rating in rows if not rating)
        epochs.append(rows)
    assert epochs[0] != epochs[1]


def test_positives_stand_apart_from_their_negatives() -> None:
    ratings = torch.cat([make_stream().batch(0, step).ratings for step in range(4)])
    assert ratings.reshape(6, 4)[:, 0].sum() < 6


def test_a_batch_is_the_same_whenever_it_is_drawn() -> None:
    stream = make_stream()
    first = stream.batch(1, 2)
    stream.batch(0, 0)
    assert all(torch.equal(a, b) for a, b in zip(first, stream.batch(1, 2), strict=True))


def make_seed(hits: int, validation: float | None = 0.5) -> Seed:
    """Return a run of 100 users of whom so many are hit, at the first place."""
    values = np.repeat([1.0, 0.0], [hits, 100 - hits])
    return Seed(pd.DataFrame({"hr@10": values, "ndcg@10": values}), validation)


def test_the_table() -> None:
    changes = (CHOSEN_ON_TEST, Change("more", ("a=1",)), Change("not run", ("a=2",)))
    study = Study({"gmf-16": GMF_16}, changes, shows_validation=True)
    own = [make_seed(50), make_seed(50), make_seed(50)]
    chosen = [make_seed(52, None), make_seed(53, None), make_seed(54, None)]
    more = [make_seed(90, 0.6)] * 3
    found = {"gmf-16": {"": own, CHOSEN_ON_TEST.label: chosen, "more": more}}
    lines = format_study(study, found)
    assert lines[0] == "|  | GMF, 16 factors | NDCG@10 on validation |"
    assert lines[2:-2] == [
        "| published | .6930 / .4150 |  |",
        "| here, epoch chosen on validation | .5000 / .5000 | .5000 |",
        f"| {CHOSEN_ON_TEST.label} | +.0300 / +.0300 |  |",
        f"| {BEST_SEED} | +.0400 / +.0400 |  |",
        "| more | **+.4000 / +.4000** | +.1000 |",
    ]


def test_words() -> None:
    only = Change("layers", words_of={"other": ("model.layers=[8]",)})
    study = Study({"gmf-16": GMF_16}, (only,))
    assert study.list_words("gmf-16", only) is None
    assert study.list_words("gmf-16", CHOSEN_ON_TEST, seeds=[7]) == [
        "model=gmf",
        "model.factors=16",
        "protocol=ncf2017",
        "trainer.patience=null",
        "data=ncf-ml-1m",
        "seed=7",
    ]


def test_a_word_that_is_in_nothing() -> None:
    with pytest.raises(UserError, match="batchs: no such study, system or change"):
        make_missing(["batchs"])

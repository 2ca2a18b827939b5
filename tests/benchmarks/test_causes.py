"""What the table of causes rests on: single examples, the changes, and how they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.causes.runs import Seed, select_places
from benchmarks.causes.settings import CHOSEN_ON_TEST, GMF_16, Change, Study
from benchmarks.causes.single_examples import ExampleStream, train
from benchmarks.causes.table import BEST_SEED, format_study
from src.data.stream import TrainingStream
from src.data.unseen import UnseenItems
from src.errors import UserError
from tests.benchmarks.test_reference import PAIRS, SEEN, TRAIN
from tests.commands import SMALL_DATA


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


def make_seed(hits: int, place: int = 1, validation: float | None = 0.5) -> Seed:
    """Return a run of 100 users of whom so many are hit, each at that place of its list."""
    hit = np.repeat([1.0, 0.0], [hits, 100 - hits])
    return Seed(pd.DataFrame({"hr@10": hit, "ndcg@10": hit / np.log2(1 + place)}), validation)


def list_cells(study: Study, runs: Mapping[str, Mapping[int, Seed]]) -> dict[str, str]:
    """Return the second column of the study's table by the first, of its one system."""
    lines = format_study(study, {"gmf-16": runs})
    cells = (line.strip("| ").split(" | ") for line in lines[2:] if line.startswith("|"))
    return {label: text for label, text, *_ in cells}


def test_the_table() -> None:
    changes = (CHOSEN_ON_TEST, Change("more", ("a=1",)), Change("not run", ("a=2",)))
    study = Study({"gmf-16": GMF_16}, changes, shows_validation=True)
    # at the third place, half of what the first has
    own = {seed: make_seed(50, place=3) for seed in range(3)}
    chosen = {seed: make_seed(52 + seed, 3, None) for seed in range(3)}
    more = {seed: make_seed(90, 1, 0.6) for seed in range(3)}
    found = {"gmf-16": {"": own, CHOSEN_ON_TEST.label: chosen, "more": more}}
    lines = format_study(study, found)
    assert lines[0] == "|  | GMF, 16 factors | NDCG@10 on validation |"
    assert lines[2:-2] == [
        "| published | .6930 / .4150 |  |",
        "| here, epoch chosen on validation | .5000 / .2500 | .5000 |",
        f"| {CHOSEN_ON_TEST.label} | +.0300 / +.0150 |  |",
        f"| {BEST_SEED} | +.0400 / +.0200 |  |",
        "| more | **+.4000 / +.6500** | +.1000 |",
    ]


def test_each_seed_is_beside_the_same_seed() -> None:
    study = Study({"gmf-16": GMF_16}, (CHOSEN_ON_TEST, Change("less", ("a=1",))))
    own = {0: make_seed(20), 1: make_seed(50), 2: make_seed(80)}
    # ten fewer with every seed: whatever the seeds have in common is no luck
    less = {seed: make_seed(hits - 10) for seed, hits in ((0, 20), (1, 50), (2, 80))}
    assert list_cells(study, {"": own, "less": less})["less"] == "**−.1000 / −.1000**"
    # one of the three is missing: of the two others alone
    assert list_cells(study, {"": own, "less": {1: less[1], 2: less[2]}})["less"] == (
        "**−.1000 / −.1000** (2 of 3 seeds)"
    )


def test_more_changes_need_more_of_a_difference() -> None:
    # 7 users of 100: p is about .01 by itself, which is too much for six tests
    own = {seed: make_seed(50) for seed in range(3)}
    names = [f"change {n}" for n in range(6)]
    runs = {"": own} | {name: {seed: make_seed(57) for seed in range(3)} for name in names}
    study = Study({"gmf-16": GMF_16}, (CHOSEN_ON_TEST, *(Change(name, ("a=1",)) for name in names)))
    assert list_cells(study, {"": own, names[0]: runs[names[0]]})[names[0]].startswith("**")
    assert list_cells(study, runs)[names[0]] == "+.0700 / +.0700"


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


def test_what_words_ask_for() -> None:
    asked = select_places(["batches of 128", "pretraining"])
    systems = ("mlp-1", "gmf-16", "neumf-8")
    assert {place for place in asked if place[0] == "causes"} == {
        ("causes", system, label) for system in systems for label in ("batches of 128", "")
    }
    assert ("pretraining", "neumf-pretrained-8", "SGD at 0.1") in asked
    assert select_places([]) > asked


def test_a_word_that_is_in_nothing() -> None:
    with pytest.raises(UserError, match="batchs: no such study, system or change"):
        select_places(["batchs"])


def test_training_on_single_examples(tmp_path: Path) -> None:
    small = (*SMALL_DATA, f"data.cache={tmp_path}", "trainer=cpu", "trainer.max_epochs=1")
    table = train(["model=gmf", "model.factors=4", *small], tmp_path / "run")
    assert list(table.columns) == ["hr@10", "ndcg@10"]
    assert len(table) == 200
    assert set(table["hr@10"]) == {0.0, 1.0}
    assert ((table["ndcg@10"] > 0) == (table["hr@10"] > 0)).all()

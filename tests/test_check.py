"""`python -m src.train ... check=true`: what is said before a run and a sweep, and what is left."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from src.run.rehearsal import Rehearsal
from src.training.stopwatch import Stopwatch
from tests.commands import TINY

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


def files(home: Path) -> set[str]:
    return {
        str(file.relative_to(home / "outputs"))
        for file in (home / "outputs").rglob("*")
        if not file.is_relative_to(home / "outputs" / "prepared")
    }


def rehearsal(*, in_one_piece: bool = False, refit: bool = False) -> Rehearsal:
    watch = Stopwatch()
    watch.steps, watch.step_seconds, watch.training_seconds = 1500, 0.002, 3.0
    watch.judging_seconds, watch.keeping_seconds, watch.memory = 0.75, 0.25, 512_000_000
    return Rehearsal("gmf on toy", 20, 10, 1000, 240, 256, 30, watch, in_one_piece, refit)


def test_what_is_said() -> None:
    assert rehearsal().describe() == [
        "gmf on toy: all is in order; nothing is recorded",
        "data        20 users, 10 items, 1,000 interactions in training",
        "parameters  240",
        "memory      512 MB",
        "step        2.00 ms for 256 examples, 1,500 an epoch",
        "epoch       4 s: 3 s training, 0.75 s judging, 0.25 s keeping",
        "training    2 min at most: 30 epochs; then test",
    ]


def test_training_again_is_not_judged() -> None:
    # 30 epochs of 4 seconds, and 30 of 3
    assert rehearsal(refit=True).seconds == 210
    assert (
        "training    4 min at most: 30 epochs, and training again; then test"
        in rehearsal(refit=True).describe()
    )
    assert not any(line.startswith("step") for line in rehearsal(in_one_piece=True).describe())


@pytest.mark.parametrize("model", ["neumf", "ease", "ials"])
def test_a_run(model: str, call: Call, tmp_path: Path) -> None:
    made = tmp_path / "outputs" / "runs" / "mine"
    finished = call(*TINY, f"model={model}", "check=true", f"hydra.run.dir={made}")
    assert finished.status == 0, finished.err
    epochs = "1 epoch" if model == "ease" else "2 epochs"
    assert re.search(rf"^training +\d+ s at most: {epochs}; then test$", finished.out, re.M)
    assert re.search(r"^data +200 users, 100 items, [\d,]+ interactions", finished.out, re.M)
    assert finished.out.startswith(f"{model} on synthetic: all is in order; nothing is recorded\n")
    assert files(tmp_path) <= {"runs", "prepared"}


def test_what_was_there_stays(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    words = (*TINY, "model=gmf", "check=true", f"hydra.run.dir={tmp_path}/mine")
    assert call(*words).status == 0
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_stages_are_counted(call: Call) -> None:
    finished = call(*TINY, "experiment=neumf-pretrained", "check=true")
    assert finished.status == 0, finished.err
    titles = re.findall(r"^(\w+) on synthetic: all is in order", finished.out, re.M)
    assert titles == ["gmf", "mlp", "neumf"]
    assert re.search(r"\nin all      \d+ s at most, with pre-training\n$", finished.out)


def test_a_sweep(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *TINY, "model=gmf", "tracking=none", "seed=0,1", "l2=0.125,0.25")
    first = call(*words, "seed=0", home=trained.home)
    assert first.status == 0, first.err
    before = files(trained.home)
    finished = call(*words, "model=gmf,ease", "check=true", home=trained.home)
    assert finished.status == 2
    _, *lines = finished.out.splitlines()
    assert lines[0].startswith("sweep ")
    assert lines[0].endswith(": 8 jobs, 2 finished before")
    # one of the two that are missing is measured, with 300 rows of 8, 8 weights and a bias
    assert re.fullmatch(
        r"gmf seed=1 l2=0.125: 2,409 parameters, [\d,]+ MB, [\d.]+ s an epoch, \d+ s at most",
        lines[1],
    )
    assert lines[2].startswith("ease seed=0 l2=0.125: ease is fitted without gradients")
    assert len(lines) == 4
    assert re.fullmatch(r"in all      \d+ s at most for 2 jobs", lines[3])
    assert finished.err.startswith("error: 4 of 8 jobs can't start, the first: ease is fitted")
    assert files(trained.home) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("check=perhaps",), "check=perhaps: Input should be a valid boolean"),
        (("check=true", "resume=auto"), "check=true looks at a run that begins: leave out resume"),
        (("check=true", "data.candidates=500"), "data.candidates=500"),
        (("check=true", "trainer=ddp"), "check=true measures one process"),
    ],
)
def test_mistakes(words: tuple[str, ...], line: str, call: Call) -> None:
    finished = call(*TINY, "tracking=none", *words)
    assert finished.status == 2
    assert line in finished.err
    assert finished.err.count("\n") == 1

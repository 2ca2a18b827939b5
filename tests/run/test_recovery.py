"""Records of processes that are gone are closed and sent by whatever comes next."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow.tracking import MlflowClient

from src.run.recovery import recover
from src.tracking import unsent
from src.tracking.journal import Journal
from tests.commands import TINY, finish, start
from tests.tracking.test_mlflow import artifacts, runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


@pytest.fixture(autouse=True)
def outputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("src.config.compose.OUTPUTS", tmp_path / "outputs")


def begin(uri: str, folder: Path, experiment: str) -> Journal:
    header = {"uri": uri, "experiment": experiment, "run_name": "run", "tags": {}}
    more = {
        "artifacts": str(folder.parent / "artifacts"),
        "started": 1_700_000_000_000,
        "continuing": None,
    }
    journal = Journal.create(folder, {**header, **more})
    journal.begin()
    unsent.add(journal)
    journal.append("epoch", step=0, metrics={"val/hr@10": 0.25})
    return journal


def leave(write: Callable[[Journal], None], uri: str, folder: Path, experiment: str) -> Path:
    """The file of a record whose process dies before the end."""

    def die() -> None:
        write(begin(uri, folder, experiment))
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=die)
    process.start()
    process.join()
    (file,) = (folder / ".records").glob("*.jsonl")
    return file


def words() -> list[str]:
    return [recovered.word for _, recovered in recover()]


def test_a_run_that_was_killed(trained: TrainedHome, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "train.log").touch()
    leave(lambda journal: None, trained.uri, tmp_path / "run", "was-killed")
    assert words() == ["sent"]
    assert words() == []
    (run,) = runs_of(MlflowClient(trained.uri), "was-killed")
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"val/hr_at_10": 0.25}
    assert artifacts(MlflowClient(trained.uri), run.info.run_id) == {"train.log"}


def test_a_run_that_was_killed_between_its_results_and_its_record(
    trained: TrainedHome, tmp_path: Path
) -> None:
    folder = tmp_path / "run"

    def write(journal: Journal) -> None:
        (folder / "history.csv").write_text("epoch,val/hr@10\n0,0.25\n")
        (folder / "metrics.json").write_text(json.dumps({"val/hr@10": 0.25, "test/hr@10": 0.5}))

    leave(write, trained.uri, folder, "results")
    assert words() == ["sent"]
    (run,) = runs_of(MlflowClient(trained.uri), "results")
    assert run.info.status == "FINISHED"
    expected = {"val/hr_at_10": 0.25, "best/val/hr_at_10": 0.25, "test/hr_at_10": 0.5}
    assert run.data.metrics == expected
    assert run.data.tags["mlflow.note.content"].startswith("validation HR@10 .2500; test HR@10")


@pytest.mark.parametrize("found", ["", "{}", "{", "null"])
def test_results_that_are_not_this_run_s(found: str, trained: TrainedHome, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def write(journal: Journal) -> None:
        results = folder / "metrics.json"
        results.write_text(found)
        if found == "{}":  # of a run before
            os.utime(results, (1_700_000_000, 1_700_000_000))

    leave(write, trained.uri, folder, f"others-{len(found)}")
    assert words() == ["sent"]
    (run,) = runs_of(MlflowClient(trained.uri), f"others-{len(found)}")
    assert run.info.status == "KILLED"


def test_a_line_that_was_cut_off(trained: TrainedHome, tmp_path: Path) -> None:
    file = leave(lambda journal: None, trained.uri, tmp_path / "run", "cut-off")
    with file.open("a") as journal:
        journal.write('{"kind": "epoch", "at": 17')
    assert words() == ["sent"]
    (run,) = runs_of(MlflowClient(trained.uri), "cut-off")
    assert run.info.status == "KILLED"


def test_what_runs_is_left_alone(trained: TrainedHome, tmp_path: Path) -> None:
    journal = begin(trained.uri, tmp_path / "run", "alive")
    assert words() == ["running"]
    journal.close()
    assert words() == ["sent"]


def test_what_ran_on_another_machine_is_left_alone(
    trained: TrainedHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(lambda journal: None, trained.uri, tmp_path / "run", "elsewhere")
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert words() == ["elsewhere"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    file = leave(lambda journal: None, "sqlite:///x.db", tmp_path / "run", "gone")
    file.unlink()
    assert words() == []
    assert list((tmp_path / "outputs" / "unsent").iterdir()) == []


def test_a_store_that_is_away_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def away(uri: str) -> None:
        asked.append(uri)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr("src.run.recovery.check_server", away)
    for name in ("a", "b"):
        leave(lambda journal: None, "http://127.0.0.1:9", tmp_path / name, "away")
    assert words() == ["left", "left"]
    assert asked == ["http://127.0.0.1:9"]


def test_the_next_start_closes_what_was_killed(trained: TrainedHome, call: Call) -> None:
    endless = ("trainer.max_epochs=100000", "trainer.patience=null")
    process = start(trained.home, *TINY, *endless, "tracking.experiment=killed-run")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch  3/"):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert finish(process).status == -signal.SIGKILL
    assert call(*TINY, "tracking.experiment=next", home=trained.home).status == 0
    (run,) = runs_of(MlflowClient(trained.uri), "killed-run")
    assert run.info.status == "KILLED"
    history = MlflowClient(trained.uri).get_metric_history(run.info.run_id, "train/loss")
    steps = [point.step for point in history]
    assert len(steps) >= 2
    assert steps == list(range(len(steps)))

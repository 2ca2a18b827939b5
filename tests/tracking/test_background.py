"""A record that is opened and written by a thread, beside the training."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytorch_lightning as pl
from mlflow.tracking import MlflowClient

from src.errors import UserError
from src.tracking import open_tracker
from src.tracking.background import BackgroundTracker
from src.tracking.mlflow import MLflowTracker
from src.tracking.tracker import Tracker
from tests.commands import REPOSITORY, TINY
from tests.tracking.test_mlflow import runs_of

if TYPE_CHECKING:
    from tests.conftest import Call


class Recorder(Tracker):
    """Keeps what it is told, and by which thread."""

    run_id = "r1"

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.threads: set[str] = set()

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self.threads.add(threading.current_thread().name)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._tell("params", params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._tell("tags", tags)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self._tell("metrics", metrics, step)

    def finish(self, status: str) -> None:
        self._tell("finish", status)


def refuse() -> Tracker:
    raise UserError("no store there")


def test_calls_come_in_order_from_one_other_thread() -> None:
    recorder = Recorder()
    with BackgroundTracker(lambda: recorder, "data") as tracker:
        tracker.log_params({"a": 1})
        tracker.set_tags({"b": "2"})
        assert recorder.told == []  # nothing begins by itself
        tracker.begin()
        assert tracker.run_id == "r1"
        tracker.set_tags({"c": "3"})
    assert recorder.told == [
        ("params", {"a": 1}),
        ("tags", {"b": "2"}),
        ("tags", {"c": "3"}),
        ("finish", "FINISHED"),
    ]
    assert recorder.threads == {"tracking"}


def test_what_is_logged_of_an_epoch_is_one_batch() -> None:
    recorder = Recorder()
    with BackgroundTracker(lambda: recorder, "data") as tracker:
        tracker.begin()
        tracker.logger.log_metrics({"val/hr@10": 0.5, "epoch": 0}, 7)
        tracker.logger.log_metrics({"train/loss": 0.25, "epoch": 0}, 7)
        tracker.keep_up()
        tracker.logger.log_metrics({"val/hr@10": 0.75, "epoch": 1}, 14)
    assert recorder.told == [
        ("metrics", {"val/hr@10": 0.5, "train/loss": 0.25}, 0),
        ("metrics", {"val/hr@10": 0.75}, 1),
        ("finish", "FINISHED"),
    ]


def test_a_record_that_ends_early_is_opened_all_the_same() -> None:
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt), BackgroundTracker(lambda: recorder, "data"):
        raise KeyboardInterrupt
    assert recorder.told == [("finish", "KILLED")]


def test_a_store_that_can_t_be_opened_is_told_at_the_next_call() -> None:
    tracker = BackgroundTracker(refuse, "data")
    tracker.keep_up()
    with pytest.raises(UserError, match="no store there"):
        tracker.wait()
    with pytest.raises(UserError, match="no store there"):
        tracker.keep_up()
    with pytest.raises(UserError, match="no store there"), tracker:
        tracker.keep_up()


def test_a_store_that_can_t_be_opened_is_told_at_the_end_at_the_latest() -> None:
    with pytest.raises(UserError, match="no store there"), BackgroundTracker(refuse, "data"):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("disk full")])
def test_of_two_errors_the_run_s_own_is_told(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(error)), BackgroundTracker(refuse, "data"):
        raise error
    assert caplog.messages == ["the run is not recorded: no store there"]


def test_a_bug_in_the_thread_is_raised() -> None:
    with (
        pytest.raises(AttributeError, match="'nothing'"),
        BackgroundTracker(Recorder, "data") as tracker,
    ):
        tracker._pass_on("nothing")


def test_a_model_that_is_fitted_in_one_call_waits_for_its_record(call: Call) -> None:
    finished = call(*TINY, "model=itempop", "loss=none", "optimizer=none", "tracking.uri=odd://x")
    assert finished.status == 2
    assert finished.err.startswith("error: tracking.uri=odd://x can't be used: ")
    assert finished.err.count("\n") == 1


def test_a_training_run_ends_in_one_line_and_keeps_what_it_has(call: Call, tmp_path: Path) -> None:
    endless = ("trainer.max_epochs=100000", "trainer.patience=null")
    folder = tmp_path / "run"
    finished = call(*TINY, *endless, "tracking.uri=odd://x", f"hydra.run.dir={folder}")
    assert finished.status == 2
    assert finished.err.startswith("error: tracking.uri=odd://x can't be used: ")
    assert finished.err.count("\n") == 1
    assert {"config.yaml", "provenance.json"} <= {file.name for file in folder.iterdir()}


def test_a_database_that_can_t_be_used_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    options = {
        "name": "mlflow",
        "uri": f"sqlite:///{tmp_path}/text",
        "experiment": "e",
        "run_name": "r",
    }
    with pytest.raises(UserError, match="file is not a database; give another, or tracking=none"):
        open_tracker(options, {}, tmp_path, beside=True)


def test_epochs_that_a_killed_run_had_not_sent(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    epochs = [{"epoch": n, "train/loss": 1 / (n + 1), "val/hr@10": n / 10} for n in range(3)]
    with MLflowTracker(uri, "data", "run") as tracker:
        tracker.log_metrics({"train/loss": 1.0, "val/hr@10": 0.0}, 0)
        tracker.log_missing(epochs)
        tracker.log_missing(epochs)
        tracker.log_missing([])
    client = MlflowClient(uri)
    for name, values in (("train/loss", [1, 1 / 2, 1 / 3]), ("val/hr_at_10", [0, 0.1, 0.2])):
        points = client.get_metric_history(tracker.run_id, name)
        assert [(point.step, point.value) for point in points] == list(enumerate(values))


def test_the_record_begins_when_the_run_does(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with MLflowTracker(uri, "data", "run", started=1_700_000_000.25) as tracker:
        pass
    assert MlflowClient(uri).get_run(tracker.run_id).info.start_time == 1_700_000_000_250


def test_a_run_cut_off_before_its_first_step_is_recorded(call: Call, tmp_path: Path) -> None:
    class Cut(pl.Callback):
        def on_train_start(self, *_: Any) -> None:
            raise KeyboardInterrupt

    from src.config.compose import compose
    from src.run import experiment
    from src.run.checks import check_options

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    options = check_options(
        compose([*TINY, f"tracking.uri={uri}", f"data.cache={tmp_path}/prepared"])
    )
    tags = {"output_folder": str(tmp_path / "run")}
    with pytest.raises(KeyboardInterrupt):
        experiment.run(options, tmp_path / "run", tags, callbacks=[Cut()])
    (run,) = runs_of(MlflowClient(uri), "synthetic")
    assert run.info.status == "KILLED"
    assert run.data.params["model.name"] == "neumf"
    assert run.data.tags["data_fingerprint"]


CUT_AT_THE_FIRST_STEP = """
import os, sys
from src import cli, train
from src.run.recording import RecordKeeping

def stop(*_):
    os._exit(any(name.split(".")[0] in ("mlflow", "sqlalchemy") for name in sys.modules))

RecordKeeping.on_train_start = stop
cli.run(train.train, "train")
"""


def test_nothing_of_mlflow_is_imported_before_training(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CUT_AT_THE_FIRST_STEP, *TINY]
    home = {**os.environ, "NCF_HOME": str(tmp_path)}
    shown = subprocess.run(command, cwd=REPOSITORY, env=home, check=False)
    assert shown.returncode == 0

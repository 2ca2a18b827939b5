"""A record that is opened and written by a thread, beside the training."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytorch_lightning as pl
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import OperationalError

from src.errors import UserError
from src.run.recovery import recover
from src.tracking import open_tracker, unsent
from src.tracking.background import BackgroundTracker
from src.tracking.delivery import Delivery
from src.tracking.journal import Journal, list_journals
from src.tracking.mlflow import MLflowOptions, MLflowTracker
from tests.commands import REPOSITORY, TINY
from tests.tracking.test_mlflow import artifacts, runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


FULL = OperationalError("COMMIT", None, Exception("database or disk is full"))


class AwayError(OSError):
    """A server that is not there."""


class Store:
    """Stands between records and their database: it can be away, and counts what it is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = False
        self.calls: list[str] = []
        for method in ("create_run", "log_batch", "log_artifact", "set_terminated", "search_runs"):
            self._guard(monkeypatch, method)

    def _guard(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        original = getattr(MlflowClient, method)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise AwayError("the server is away")
            self.calls.append(method)
            return original(*args, **kwargs)

        monkeypatch.setattr(MlflowClient, method, guarded)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.setattr("src.config.compose.OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr("src.tracking.background.PATIENCE", 0.2)
    monkeypatch.setattr("src.tracking.background.SHORTEST_PAUSE", 0.02)
    monkeypatch.setattr("src.tracking.background.LONGEST_PAUSE", 0.1)
    # a file for a server
    monkeypatch.setattr("src.tracking.background.embedded", lambda _: None)
    return Store(monkeypatch)


@pytest.fixture
def uri(trained: TrainedHome) -> str:
    return trained.uri


def begin(uri: str, folder: Path, experiment: str, **more: Any) -> BackgroundTracker:
    options = MLflowOptions(uri, experiment, "run", artifacts=str(folder / "artifacts"))
    return BackgroundTracker(options, {"a": "1"}, folder, **{"beside": True, **more})


def points_of(uri: str, run_id: str | None, name: str) -> list[tuple[int, float]]:
    assert run_id is not None
    history = MlflowClient(uri).get_metric_history(run_id, name)
    return [(point.step, point.value) for point in history]


def test_all_that_is_told_arrives(uri: str, store: Store, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    with begin(uri, tmp_path, "told") as tracker:
        tracker.log_params({"model": {"factors": 8}})
        assert store.calls == []  # nothing begins by itself
        tracker.begin()
        assert tracker.run_id is not None
        tracker.set_tags({"b": 2})
        tracker.log_metrics({"test/hr@10": 0.5})
        tracker.log_files(tmp_path, leave_out=("artifacts", "outputs"))
    (run,) = runs_of(MlflowClient(uri), "told")
    assert run.info.status == "FINISHED"
    assert run.info.run_id == tracker.run_id
    assert run.data.params == {"model.factors": "8"}
    assert (run.data.tags["a"], run.data.tags["b"]) == ("1", "2")
    assert run.data.metrics == {"test/hr_at_10": 0.5}
    assert artifacts(MlflowClient(uri), run.info.run_id) == {"metrics.json"}
    assert list(unsent.list_unsent()) == []
    assert tracker.location is not None
    assert tracker.location.startswith(f"MLflow run {run.info.run_id} in experiment told of ")


def test_what_is_logged_of_an_epoch_is_one_entry(uri: str, store: Store, tmp_path: Path) -> None:
    with begin(uri, tmp_path, "entry") as tracker:
        tracker.logger.log_metrics({"val/hr@10": 0.5, "epoch": 0}, 7)
        tracker.logger.log_metrics({"train/loss": 0.25, "epoch": 0}, 7)
        tracker.keep_up()
        tracker.logger.log_metrics({"val/hr@10": 0.75, "epoch": 1}, 14)
    (journal,) = list_journals(tmp_path)
    assert [entry.content for entry in journal.read() if entry.kind == "epoch"] == [
        {"step": 0, "metrics": {"val/hr@10": 0.5, "train/loss": 0.25}},
        {"step": 1, "metrics": {"val/hr@10": 0.75}},
    ]


def test_a_server_that_goes_away_and_comes_back(uri: str, store: Store, tmp_path: Path) -> None:
    with begin(uri, tmp_path, "back") as tracker:
        tracker.begin()
        tracker.log_epoch({"train/loss": 0.5}, 0)
        assert tracker.run_id is not None
        store.away = True
        for epoch in range(1, 9):
            tracker.log_epoch({"train/loss": 0.5 / epoch}, epoch)
            tracker.keep_up()
            time.sleep(0.02)
        store.away = False
    expected = [(0, 0.5), *((epoch, 0.5 / epoch) for epoch in range(1, 9))]
    assert points_of(uri, tracker.run_id, "train/loss") == expected


def test_a_server_that_stays_away_gets_all_later(
    uri: str, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with begin(uri, tmp_path, "later") as tracker:
        tracker.begin()
        run_id = tracker.run_id
        store.away = True
        tracker.log_epoch({"train/loss": 0.5}, 0)
    assert tracker.location is not None
    assert "not yet in" in tracker.location
    said = caplog.messages[-1]
    assert said.startswith("the server is away: 2 entries of the record are not in sqlite:///")
    assert said.endswith(f" -m src.sync run={tmp_path} sends them") or "sync" in said
    assert points_of(uri, run_id, "train/loss") == []
    store.away = False
    for _ in range(2):
        assert [outcome.word for _, outcome in recover(list_journals(tmp_path))] == ["sent"]
        assert points_of(uri, run_id, "train/loss") == [(0, 0.5)]
    (run,) = runs_of(MlflowClient(uri), "later")
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), FULL])
def test_the_end_does_not_wait_for_a_disk_that_is_full(
    error: Exception, uri: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.tracking.background.PATIENCE", 30.0)
    tries: list[bool] = []

    def fill(delivery: Delivery, end: int) -> None:
        tries.append(True)
        raise error

    with begin(uri, tmp_path, "full") as tracker:
        assert tracker.run_id is not None
        monkeypatch.setattr(Delivery, "_advance", fill)
        tracker.log_epoch({"train/loss": 0.5}, 0)
    assert 1 <= len(tries) <= 3
    assert not tracker._thread.is_alive()
    assert tracker.location == f"{tmp_path}/.records, not yet in {uri}"


def test_an_entry_that_can_t_be_noted_as_sent_is_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Delivery(Journal(tmp_path / "rec-1.jsonl"))

    def fill(_: Delivery) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Delivery, "_write_sent", fill)
    with pytest.raises(OSError, match="Input/output error"):
        delivery._advance(1)
    assert delivery.progress == 0


def test_a_server_that_never_was_there(uri: str, store: Store, tmp_path: Path) -> None:
    store.away = True
    with begin(uri, tmp_path, "never") as tracker:
        assert tracker.run_id is None
        assert tracker.reference.startswith("rec-")
        tracker.log_epoch({"train/loss": 0.5}, 0)
    store.away = False
    # the tracker's own thread, which would end with the process, may be at it just then
    while any(outcome.word == "running" for _, outcome in recover()):
        time.sleep(0.05)
    (run,) = runs_of(MlflowClient(uri), "never")
    assert points_of(uri, run.info.run_id, "train/loss") == [(0, 0.5)]


def test_an_answer_that_is_lost_makes_no_second_run(
    uri: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = MlflowClient.create_run

    def lost(*args: Any, **kwargs: Any) -> None:
        create(*args, **kwargs)
        monkeypatch.setattr(MlflowClient, "create_run", create)
        raise AwayError("timed out")

    monkeypatch.setattr(MlflowClient, "create_run", lost)
    with begin(uri, tmp_path, "lost"):
        pass
    (run,) = runs_of(MlflowClient(uri), "lost")
    assert run.info.status == "FINISHED"


def test_a_point_whose_answer_is_lost_is_there_once(
    uri: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch = MlflowClient.log_batch

    def lost(*args: Any, **kwargs: Any) -> None:
        log_batch(*args, **kwargs)
        if kwargs.get("metrics"):
            monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
            raise AwayError("timed out")

    monkeypatch.setattr(MlflowClient, "log_batch", lost)
    with begin(uri, tmp_path, "point") as tracker:
        tracker.log_epoch({"train/loss": 0.5}, 0)
    assert points_of(uri, tracker.run_id, "train/loss") == [(0, 0.5)]


def test_a_run_that_goes_on_has_each_epoch_once(uri: str, store: Store, tmp_path: Path) -> None:
    found_by = {"output_folder": "there"}
    tracker = begin(uri, tmp_path, "on")
    tracker.log_epoch({"train/loss": 0.5, "train/seconds": 1.0}, 0)
    tracker.log_epoch({"train/loss": 0.25, "train/seconds": 1.0}, 1)
    with pytest.raises(ValueError, match="broken"), tracker:
        raise ValueError("broken")
    (run,) = runs_of(MlflowClient(uri), "on")
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "broken")

    with begin(uri, tmp_path, "on", continuing=found_by) as again:
        # the last checkpoint was of epoch 0: epoch 1 is trained again, and 2 is new
        again.log_missing([{"epoch": 0, "train/loss": 0.5, "train/seconds": 1.0}])
        again.log_epoch({"train/loss": 0.25, "train/seconds": 1.5}, 1)
        again.log_epoch({"train/loss": 0.125, "train/seconds": 1.5}, 2)
        assert again.run_id == tracker.run_id
        assert MlflowClient(uri).get_run(tracker.run_id).info.status == "RUNNING"
    (run,) = runs_of(MlflowClient(uri), "on")
    assert run.info.status == "FINISHED"
    assert "error" not in run.data.tags
    assert points_of(uri, run.info.run_id, "train/loss") == [(0, 0.5), (1, 0.25), (2, 0.125)]
    assert points_of(uri, run.info.run_id, "train/seconds") == [(0, 1.0), (1, 1.0), (2, 1.5)]


def test_a_run_that_was_recorded_without_a_journal(uri: str, store: Store, tmp_path: Path) -> None:
    tags = {"output_folder": str(tmp_path)}
    with MLflowTracker(uri, "old", "run", tags=tags) as old:
        old.log_metrics({"train/loss": 0.5}, 0)
    with begin(uri, tmp_path, "old", continuing=tags) as tracker:
        tracker.log_missing([{"epoch": 0, "train/loss": 0.5}, {"epoch": 1, "train/loss": 0.25}])
    assert tracker.run_id == old.run_id
    assert points_of(uri, old.run_id, "train/loss") == [(0, 0.5), (1, 0.25)]


def test_a_sweep_that_is_recorded_after_its_jobs_began(
    uri: str, store: Store, tmp_path: Path
) -> None:
    store.away = True
    with begin(uri, tmp_path / "sweep", "tree-of-journals") as sweep:
        options = MLflowOptions(uri, "tree-of-journals", "job")
        tags = {"mlflow.parentRunId": sweep.reference, "job": "1"}
        with BackgroundTracker(options, tags, tmp_path / "job", beside=True) as job:
            job.set_tags(tags)
    store.away = False
    while list(unsent.list_unsent()):  # their threads, or this
        assert all(outcome.word != "left" for _, outcome in recover())
    parent, child = runs_of(MlflowClient(uri), "tree-of-journals")
    assert child.data.tags["job"] == "1"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_what_mlflow_refuses_costs_the_record_only(
    uri: str, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with begin(uri, tmp_path, "refused") as tracker:
        tracker.log_params({"a": 1})
        tracker.set_tags({"b": 1})
        assert tracker.run_id is not None
        tracker.log_files(tmp_path, leave_out=("artifacts", "outputs"))
        tracker.log_params({"a": 2})
        tracker.log_metrics({"test/hr@10": 0.5})
    (run,) = runs_of(MlflowClient(uri), "refused")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"a": "1"}
    assert run.data.metrics == {"test/hr_at_10": 0.5}
    assert len(caplog.messages) == 1
    assert "the record in" in caplog.messages[0]


def test_a_run_that_somebody_deletes_is_recorded_anew(
    uri: str, store: Store, tmp_path: Path
) -> None:
    with begin(uri, tmp_path, "deleted-run") as tracker:
        tracker.log_epoch({"train/loss": 0.5}, 0)
    MlflowClient(uri).delete_run(tracker.run_id)
    with begin(uri, tmp_path, "deleted-run", continuing={"x": "y"}) as again:
        again.log_epoch({"train/loss": 0.25}, 1)
    assert again.run_id != tracker.run_id
    assert points_of(uri, again.run_id, "train/loss") == [(0, 0.5), (1, 0.25)]


def test_a_record_that_ends_early_is_opened_all_the_same(
    uri: str, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), begin(uri, tmp_path, "early"):
        raise KeyboardInterrupt
    (run,) = runs_of(MlflowClient(uri), "early")
    assert run.info.status == "KILLED"


def test_a_store_that_can_t_be_used_is_told_at_the_next_call(store: Store, tmp_path: Path) -> None:
    tracker = begin("odd://x", tmp_path, "data")
    tracker.keep_up()
    with pytest.raises(UserError, match="odd://x can't be used"):
        tracker.wait()
    with pytest.raises(UserError, match="odd://x can't be used"):
        tracker.keep_up()
    with pytest.raises(UserError, match="odd://x can't be used"), tracker:
        tracker.keep_up()
    assert list(unsent.list_unsent()) == []


def test_a_store_that_can_t_be_used_is_told_at_the_end_at_the_latest(
    store: Store, tmp_path: Path
) -> None:
    with (
        pytest.raises(UserError, match="odd://x can't be used"),
        begin("odd://x", tmp_path, "data"),
    ):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("disk full")])
def test_of_two_errors_the_run_s_own_is_told(
    error: BaseException, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(error)), begin("odd://x", tmp_path, "data"):
        raise error
    (said,) = caplog.messages
    assert said.startswith("the run is not recorded: tracking.uri=odd://x can't be used: ")


def test_a_bug_in_the_thread_is_raised(uri: str, store: Store, tmp_path: Path) -> None:
    with (
        pytest.raises(TypeError, match="unexpected"),
        begin(uri, tmp_path, "bug") as tracker,
    ):
        tracker._write("view", view={"nothing": 1})


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


def test_the_record_begins_when_the_run_does(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with MLflowTracker(uri, "data", "run", started=1_700_000_000_250) as tracker:
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

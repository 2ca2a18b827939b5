"""`python -m src.sync`: what a server has not gets there, once."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow.tracking import MlflowClient

from tests.commands import TINY
from tests.tracking.test_mlflow import runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.tracking.store.CONTACT", 0.5)
    monkeypatch.setattr("src.tracking.background.FIRST_ANSWER", 0.5)
    monkeypatch.setattr("src.tracking.background.PATIENCE", 0.5)


@pytest.fixture
def nobody() -> str:
    """The address of a server that does not run."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_a_server_that_is_not_there_ends_the_run_before_it_begins(
    nobody: str, call: Call, tmp_path: Path
) -> None:
    started = time.monotonic()
    finished = call(*TINY, f"tracking.uri={nobody}")
    assert time.monotonic() - started < 10
    assert finished.status == 2
    assert finished.err.startswith(f"error: tracking.uri={nobody} can't be reached: ")
    assert "tracking.required=false" in finished.err
    assert finished.err.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_a_server_that_does_not_answer_ends_the_run_before_it_begins(call: Call) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        finished = call(*TINY, f"tracking.uri=http://127.0.0.1:{silent.getsockname()[1]}")
    assert finished.status == 2
    assert "can't be reached: no answer within" in finished.err


def test_what_a_server_missed_is_sent_later(
    nobody: str, call: Call, trained: TrainedHome, tmp_path: Path
) -> None:
    words = (*TINY, f"tracking.uri={nobody}", "tracking.required=false")
    finished = call(*words, "tracking.experiment=missed", home=trained.home)
    assert finished.status == 0, finished.err
    assert f"not yet in {nobody}" in finished.said("tracking")
    assert f"src.sync run={finished.folder} sends them" in finished.out

    still = call(f"run={finished.folder}", command="sync", home=trained.home)
    assert still.status == 2
    assert still.err.startswith("error: 1 of 1 records are not sent, the first ")
    assert len(still.err) < 300

    # the server is a file for once
    for journal in (finished.folder / ".records").glob("*.jsonl"):
        journal.write_text(journal.read_text().replace(nobody, trained.uri))
    sent = call(command="sync", home=trained.home)
    assert sent.status == 0, sent.err
    assert sent.out.startswith(f"sent     {finished.folder}: missed of {trained.uri}")
    (run,) = runs_of(MlflowClient(trained.uri), "missed")
    assert run.info.status == "FINISHED"
    history = MlflowClient(trained.uri).get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in history] == [0, 1]
    assert call(command="sync", home=trained.home).out == "nothing is left to send\n"


def test_a_run_that_has_no_record(call: Call, trained: TrainedHome) -> None:
    finished = call(*TINY, "tracking=none", home=trained.home)
    shown = call(f"run={finished.folder}", command="sync", home=trained.home)
    assert shown.status == 2
    assert "has no record to be sent" in shown.err

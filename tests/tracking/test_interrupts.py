"""A run that is stopped from outside keeps what it has, and MLflow knows."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mlflow.tracking import MlflowClient

from src.training.checkpoints import load_model
from tests.commands import TINY, finish, start
from tests.tracking.test_mlflow import artifacts, runs_of

if TYPE_CHECKING:
    from tests.conftest import TrainedHome


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_stopped_while_training(sent: signal.Signals, status: int, trained: TrainedHome) -> None:
    name = sent.name.lower()
    endless = ("trainer.max_epochs=100000", "trainer.patience=null")
    process = start(trained.home, *TINY, *endless, f"tracking.experiment={name}")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch  2/"):
        assert process.poll() is None
    process.send_signal(sent)
    stopped = finish(process)
    assert stopped.status == status
    assert "Traceback" not in stopped.err

    client = MlflowClient(trained.uri)
    (run,) = runs_of(client, name)
    assert run.info.status == "KILLED"
    assert "error" not in run.data.tags
    checkpoints = Path(run.data.tags["output_folder"]) / "checkpoints"
    for checkpoint in ("best.ckpt", "last.ckpt"):
        load_model(checkpoints / checkpoint, n_users=200, n_items=100)
    assert "checkpoints/last.ckpt" in artifacts(client, run.info.run_id, "checkpoints")

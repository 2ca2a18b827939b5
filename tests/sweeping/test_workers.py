"""Jobs at the same time: their processes end with the sweep, and no record stays open."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from mlflow.tracking import MlflowClient

from tests.commands import TINY, finish, start
from tests.tracking.test_mlflow import runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


SLOW = [pytest.param(sent, marks=pytest.mark.slow) for sent in (signal.SIGINT, signal.SIGTERM)]


def children_of(pid: int) -> list[psutil.Process]:
    """The processes that train, of those that joblib started."""
    found = psutil.Process(pid).children(recursive=True)
    return [one for one in found if "loky" in " ".join(one.cmdline())]


@pytest.mark.parametrize("sent", [signal.SIGKILL, *SLOW])
def test_jobs_end_with_their_sweep(sent: signal.Signals, trained: TrainedHome, call: Call) -> None:
    experiment = f"workers-{sent.name.lower()}"
    words = ("trainer.max_epochs=100000", "trainer.patience=null", "model=gmf", "seed=0,1")
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process = start(
        trained.home, "-m", *TINY, *words, *parallel, f"tracking.experiment={experiment}"
    )
    client = MlflowClient(trained.uri)
    while True:
        found = client.get_experiment_by_name(experiment)
        runs = client.search_runs([found.experiment_id]) if found else []
        if sum("train/loss" in run.data.metrics for run in runs) == 2:
            break
        assert process.poll() is None
        time.sleep(0.2)
    workers = children_of(process.pid)
    assert len(workers) >= 2
    process.send_signal(sent)
    finish(process)
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert call(command="sync", home=trained.home).status == 0
    statuses = {run.info.run_name: run.info.status for run in runs_of(client, experiment)}
    assert set(statuses.values()) == {"KILLED"}
    assert len(statuses) == 3
    for run in runs_of(client, experiment):
        if "job" in run.data.tags:
            history = client.get_metric_history(run.info.run_id, "train/loss")
            assert [point.step for point in history] == list(range(len(history)))
            assert Path(run.data.tags["output_folder"]).is_dir()

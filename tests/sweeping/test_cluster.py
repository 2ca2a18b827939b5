"""Sweeps by Hydra's submitit launcher: on Slurm as far as composed, on this machine whole."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil
import pytest
from mlflow.tracking import MlflowClient

from src.config.compose import compose
from tests.commands import TINY, finish, start, train
from tests.test_end_to_end import repeatable
from tests.test_sweeps import sweep_of, tree

if TYPE_CHECKING:
    from tests.conftest import TrainedHome

pytest.importorskip("submitit")


def test_what_slurm_is_told() -> None:
    words = (
        "hydra/launcher=submitit_slurm",
        "hydra.launcher.partition=gpu",
        "hydra.launcher.cpus_per_task=4",
        "hydra.launcher.timeout_min=240",
        "hydra.launcher.max_num_timeout=20",
        "hydra.launcher.signal_delay_s=120",
    )
    hydra = compose(["model=neumf", *words], with_hydra=True).hydra
    assert hydra.launcher._target_.endswith(".SlurmLauncher")
    assert (hydra.launcher.partition, hydra.launcher.cpus_per_task) == ("gpu", 4)
    assert (hydra.launcher.timeout_min, hydra.launcher.max_num_timeout) == (240, 20)
    assert hydra.sweeper._target_.endswith(".ResumingSweeper")


def find_jobs(pid: int) -> list[psutil.Process]:
    """The processes that train, of those that submitit started."""
    found = psutil.Process(pid).children(recursive=True)
    return [one for one in found if "submitit.core._submit" in one.cmdline()]


@pytest.mark.slow
def test_a_job_that_is_preempted_goes_on(trained: TrainedHome) -> None:
    same = (*TINY, "model=gmf", "trainer.max_epochs=200", "trainer.patience=null")
    local = ("hydra/launcher=submitit_local", "tracking.experiment=preempted", "seed=3,4")
    process = start(trained.home, "-m", *same, *local)
    client = MlflowClient(trained.uri)
    while True:
        known = client.get_experiment_by_name("preempted")
        runs = client.search_runs([known.experiment_id]) if known else []
        if sum("train/loss" in run.data.metrics for run in runs) == 2:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    preempted = find_jobs(process.pid)
    assert len(preempted) == 2
    for job in preempted:
        job.send_signal(signal.SIGUSR2)
    swept = finish(process)
    assert swept.status == 0, swept.err
    assert not any(job.is_running() for job in preempted)

    parent, children = tree(client, "preempted")
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3
    folders = dict(zip(sweep_of(swept)["job"], sweep_of(swept)["folder"], strict=True))
    for child in children:
        points = client.get_metric_history(child.info.run_id, "train/loss")
        assert [point.step for point in points] == list(range(200))
        folder = Path(folders[child.data.tags["job"]])
        output = (folder / "output.txt").read_text()
        # it went on after its last epoch, and did not begin anew
        assert 200 <= output.count("\nepoch") + output.startswith("epoch") < 210
        assert len(pd.read_csv(folder / "history.csv")) == 200
    single = train(trained.home, *same, "seed=3", "tracking=none")
    (third,) = sweep_of(swept)[lambda table: table["seed"] == 3]["folder"]
    assert repeatable(single.folder) == repeatable(Path(third))

"""Runs and sweeps that are interrupted, stopped or killed at any moment, as a user meets them."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient

from tests.chaos.conftest import Note
from tests.commands import TINY, finish, start, train
from tests.test_end_to_end import repeatable
from tests.tracking.test_mlflow import runs_of

pytestmark = pytest.mark.chaos

RUN = (*TINY, "model=neumf", "trainer.patience=null", "trainer.max_epochs=40")
WITHIN = (*RUN, "checkpoint_every=20steps", "resume=auto")
TRIES = 6


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folder of a whole run, by seed."""
    home = tmp_path_factory.mktemp("undisturbed")
    return {seed: train(home, *RUN, f"seed={seed}", "tracking=none").folder for seed in range(4)}


def assert_same(folder: Path, expected: Path) -> None:
    """Assert that two runs ended with the same numbers, to the last bit."""
    assert repeatable(folder) == repeatable(expected)
    users = [pd.read_parquet(one / "per_user.parquet") for one in (folder, expected)]
    assert users[0].equals(users[1])
    weights = [
        torch.load(one / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for one in (folder, expected)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def finished_seeds(home: Path, experiment: str) -> list[str]:
    """The seeds of an experiment's finished runs, each of which has each epoch once.

    What a killed process leaves besides is closed as KILLED, with a beginning of its epochs.
    """
    client = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db")
    seeds = []
    for run in runs_of(client, experiment):
        points = client.get_metric_history(run.info.run_id, "train/loss")
        steps = [point.step for point in points]
        assert steps == list(range(len(steps)))
        if "kind" in run.data.tags:  # a sweep's own
            assert run.info.status == "FINISHED"
        elif len(steps) == 40:
            assert run.info.status == "FINISHED"
            seeds.append(run.data.params["seed"])
        else:
            assert run.info.status == "KILLED"
    return sorted(seeds)


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_run_that_is_ended_goes_on(
    sent: signal.Signals, status: int, undisturbed: dict[int, Path], tmp_path: Path, note: Note
) -> None:
    chance = random.Random(int(sent))
    for n in range(TRIES):
        home = tmp_path / str(n)
        process = start(home, *WITHIN)
        assert process.stdout is not None
        epoch = chance.randrange(1, 30)
        next(line for line in process.stdout if line.startswith(f"epoch {epoch:2d}/"))
        time.sleep(0.1 * chance.random())
        process.send_signal(sent)
        assert finish(process).status == status
        resumed = train(home, *WITHIN)
        assert resumed.status == 0, resumed.err
        first = next(line for line in resumed.out.splitlines() if line.startswith("epoch"))
        assert int(first.split("/")[0].removeprefix("epoch")) >= epoch
        assert_same(resumed.folder, undisturbed[0])
        assert finished_seeds(home, "synthetic") == ["0"]
    note(f"a run ended by {sent.name} at a random moment, and gone on with", TRIES)


def test_two_sweeps_with_jobs_in_common_one_killed(
    undisturbed: dict[int, Path], tmp_path: Path, note: Note
) -> None:
    chance = random.Random(0)
    for n in range(TRIES):
        home = tmp_path / str(n)
        sweeps = [
            ("-m", *RUN, f"seed={seeds}", f"tracking.experiment={name}")
            for name, seeds in (("killed", "0,1,2"), ("other", "1,2,3"))
        ]
        killed, other = (start(home, *words) for words in sweeps)
        time.sleep(5 + 8 * chance.random())
        killed.kill()
        finish(killed)
        ended = finish(other)
        assert ended.status == 0, ended.err
        again = train(home, *sweeps[0])
        assert again.status == 0, again.err
        jobs = list((home / "outputs" / "jobs").glob("*/metrics.json"))
        assert len(jobs) == 4
        for job in jobs:
            seed = yaml.safe_load((job.parent / "config.yaml").read_text())["seed"]
            assert_same(job.parent, undisturbed[seed])
        assert finished_seeds(home, "killed") == ["0", "1", "2"]
        assert finished_seeds(home, "other") == ["1", "2", "3"]
    note("two sweeps at once with jobs in common, one killed and started again", TRIES)


def test_a_stopped_sweep_loses_its_job_to_another_once(
    undisturbed: dict[int, Path], tmp_path: Path, note: Note
) -> None:
    words = ("-m", *RUN, "seed=0")
    stopped = start(tmp_path, *words, "tracking.experiment=stopped")
    assert stopped.stdout is not None
    next(line for line in stopped.stdout if line.startswith("epoch  5/"))
    stopped.send_signal(signal.SIGSTOP)
    takers = [start(tmp_path, *words, f"tracking.experiment=taker-{n}") for n in range(2)]
    time.sleep(45)  # less than a minute, after which a lease that is not renewed is stale
    assert [taker.poll() for taker in takers] == [None, None]
    ended = [finish(taker) for taker in takers]
    assert [done.status for done in ended] == [0, 0], [done.err for done in ended]
    # one of them trained, and the other found the job finished
    trained = [done for done in ended if "\nepoch " in done.out]
    assert len(trained) == 1
    (job,) = [file.parent for file in (tmp_path / "outputs" / "jobs").glob("*/metrics.json")]
    assert_same(job, undisturbed[0])
    before = contents(job)
    stopped.send_signal(signal.SIGCONT)
    late = finish(stopped)
    assert late.status != 0
    assert "was taken over by another process while this one stood still" in late.err
    assert contents(job) == before
    note("a stopped holder of a job: taken over once, its late writes refused", 1)


def contents(folder: Path) -> dict[str, bytes]:
    """The results of a job by file, without what is said on the way."""
    files = [folder / "metrics.json", folder / "per_user.parquet", folder / "history.csv"]
    files += sorted((folder / "checkpoints").iterdir())
    return {file.name: file.read_bytes() for file in files}

"""Two processes that train one model: beside one process, and when one of them is struck."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from mlflow.tracking import MlflowClient

from tests.chaos.conftest import Note
from tests.commands import SMALL_DATA, Finished, finish, start, train
from tests.test_end_to_end import repeatable

pytestmark = pytest.mark.chaos

RUN = (*SMALL_DATA, "trainer.threads=1", "ks=[1,10]", "trainer.patience=null", "model=neumf")
TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
LONG = (*RUN, *TWO, "trainer.max_epochs=500", "tracking.experiment=struck")


def started(home: Path, *words: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A command in its second epoch, and the process that it started beside itself."""
    process = start(home, *words)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch  2/") or line.startswith("epoch   2/"):
            break
    (other,) = psutil.Process(process.pid).children()
    return process, other


def ended(process: subprocess.Popen[str], other: psutil.Process, within: float) -> Finished:
    """How the command ended; fails when one of the processes lives longer than `within` seconds."""
    since = time.monotonic()
    out, err = process.communicate(timeout=within)
    left = max(0.1, since + within - time.monotonic())
    assert not psutil.wait_procs([other], left)[1]
    return Finished(process.returncode, out, err)


def lines_of(error: str) -> list[str]:
    return [line for line in error.splitlines() if line]


def status_of(home: Path) -> list[str]:
    client = MlflowClient(f"sqlite:///{home}/outputs/mlflow.db")
    experiment = client.get_experiment_by_name("struck")
    assert experiment is not None
    return [run.info.status for run in client.search_runs([experiment.experiment_id])]


def test_the_other_process_is_killed(tmp_path: Path, note: Note) -> None:
    process, other = started(tmp_path, *LONG)
    other.kill()
    finished = ended(process, other, within=20)
    assert finished.status == 1
    assert lines_of(finished.err) == ["error: process 2 of 2 was killed by SIGKILL"]
    assert status_of(tmp_path) == ["FAILED"]
    note("one of two processes killed: the other ends, status 1", 1)


def test_the_first_process_is_killed(tmp_path: Path, note: Note) -> None:
    process, other = started(tmp_path, *LONG)
    process.kill()
    assert ended(process, other, within=10).status == -signal.SIGKILL
    note("the first of two processes killed: the other ends", 1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_first_ends_both(
    tmp_path: Path, number: signal.Signals, status: int, note: Note
) -> None:
    process, other = started(tmp_path, *LONG)
    process.send_signal(number)
    finished = ended(process, other, within=20)
    assert finished.status == status
    assert lines_of(finished.err) == []
    assert status_of(tmp_path) == ["KILLED"]
    note("the first of two processes interrupted or terminated: both end", 1)


def test_a_process_that_stands_still_for_a_while_is_waited_for(tmp_path: Path, note: Note) -> None:
    process, other = started(tmp_path, *LONG, "trainer.max_epochs=4")
    other.suspend()
    time.sleep(5)
    assert process.poll() is None
    other.resume()
    assert finish(process).status == 0
    note("one of two processes stopped for 5 s", 1)


def test_a_job_of_a_sweep_begun_by_two_processes_is_ended_by_one(
    tmp_path: Path, note: Note
) -> None:
    words = (*RUN, "trainer.max_epochs=6", "compiled=false")
    recorded = ("tracking.experiment=struck", "seed=3,4")
    process, other = started(tmp_path, "-m", *words, *TWO, *recorded)
    process.kill()
    ended(process, other, within=10)
    (job,) = (tmp_path / "outputs" / "jobs").glob("[0-9a-f]*")
    resumed = train(tmp_path, "-m", *words, *TWO, "trainer.devices=1", *recorded)
    assert resumed.status == 0, resumed.err
    first = next(line for line in resumed.out.splitlines() if line.startswith("epoch"))
    assert int(first.split("/")[0].removeprefix("epoch")) > 1
    alone = train(tmp_path, *words, "trainer=cpu", "seed=3", "tracking=none")
    assert_alike(Path(alone.folder), job)
    note("a job of two processes killed, and ended by one", 1)


# a table of many more rows than a step reads, which are kept row by row
MANY_ROWS = (
    "data=synthetic", "data.source.n_users=2000", "data.source.n_items=1000",
    "data.source.n_interactions=14000", "data.source.min_per_user=5", "data.candidates=20",
    "data.batch_size=64", "trainer.threads=1", "ks=[1,10]", "model=neumf", "trainer.max_epochs=2",
    "tracking=none",
)  # fmt: skip


@pytest.mark.parametrize("devices", [2, 1])
def test_killed_within_an_epoch_and_gone_on_with(tmp_path: Path, devices: int, note: Note) -> None:
    # one process would take other steps, compiled ones
    words = (*MANY_ROWS, *TWO, "model.dropout=0.2" if devices == 2 else "compiled=false")
    whole = train(tmp_path, *words)
    assert whole.status == 0, whole.err
    process = start(tmp_path, *words, "checkpoint_every=100steps")
    runs = tmp_path / "outputs" / "runs"
    while not (found := list(runs.glob("*/checkpoints/unfinished.ckpt"))):
        time.sleep(0.05)
    (other,) = psutil.Process(process.pid).children()
    process.kill()
    ended(process, other, within=10)
    folder = found[0].parents[1]
    resumed = train(tmp_path, *words, f"trainer.devices={devices}", "resume=auto")
    assert resumed.status == 0, resumed.err
    assert resumed.folder == folder
    note(f"two processes killed within an epoch, and gone on with by {devices}", 1)
    if devices == 1:
        assert_alike(whole.folder, folder)
        return
    assert repeatable(whole.folder) == repeatable(folder)
    weights = [weights_of(one) for one in (whole.folder, folder)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def assert_alike(one: Path, other: Path) -> None:
    """Two runs trained on the same examples, and came to the same but for rounding."""
    histories = [pd.read_csv(folder / "history.csv") for folder in (one, other)]
    for name in ("train/loss", "val/hr@10", "val/ndcg@10"):
        assert histories[0][name].to_numpy() == pytest.approx(histories[1][name], abs=1e-3), name
    metrics = [repeatable(folder) for folder in (one, other)]
    assert metrics[0].keys() == metrics[1].keys()
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-3)
    users = [pd.read_parquet(folder / "per_user.parquet")["user"] for folder in (one, other)]
    assert users[0].equals(users[1])


def test_two_processes_beside_one_number_for_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], note: Note
) -> None:
    words = (*RUN, "compiled=false", "trainer.max_epochs=5", "tracking=none")
    one = train(tmp_path, *words, "trainer=cpu")
    two = train(tmp_path, *words, *TWO)
    assert two.status == 0, two.err
    assert_alike(one.folder, two.folder)
    weights = [weights_of(run.folder) for run in (one, two)]
    furthest = max((weights[0][name] - weights[1][name]).abs().max() for name in weights[0])
    with capsys.disabled():
        print(f"\nfurthest weight {furthest:.2g}")
        for run in (one, two):
            table = pd.read_csv(run.folder / "history.csv")
            print(table[["epoch", "train/loss", "val/hr@10", "val/ndcg@10"]].to_string())
            metrics = json.loads((run.folder / "metrics.json").read_text())
            print({name: metrics[name] for name in ("test/hr@10", "test/ndcg@10")})
    files = [{file.name for file in run.folder.iterdir()} for run in (one, two)]
    assert files[0] == files[1]
    note("two processes beside one: the same numbers, weights to .001", 1)

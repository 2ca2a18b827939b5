"""`trainer=ddp`: one run, one record and one table, whoever started the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil
import pytest
import torch
from mlflow.tracking import MlflowClient

from tests.commands import REPOSITORY, SMALL_DATA, TINY, Finished, start
from tests.test_end_to_end import repeatable
from tests.tracking.test_mlflow import runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
TRUST = "trust=tests.training.processes"
KEEP_WEIGHTS = "trainer.callbacks=[{_target_: tests.training.processes.KeepWeights}]"


def test_two_processes_make_one_run(trained: TrainedHome, call: Call) -> None:
    words = (*TINY, *TWO, KEEP_WEIGHTS, "tracking.experiment=two", "data.batch_size=1024")
    two = call(*words, home=trained.home)
    assert two.status == 0, two.err
    assert two.out.count("\nepoch ") == 2
    (run,) = runs_of(MlflowClient(trained.uri), "two")
    assert run.info.status == "FINISHED"
    assert not list(two.folder.glob("process-*"))

    weights = [torch.load(two.folder / f"weights-{n}.pt", weights_only=True) for n in (0, 1)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    # the same weights judged by one process, and by two
    tested = {k: v for k, v in repeatable(two.folder).items() if k.startswith("test/")}
    for more in ((), TWO):
        judged = call(f"run={two.folder}", "trainer.threads=1", TRUST, *more, command="evaluate")
        assert judged.status == 0, judged.err
        assert repeatable(judged.folder) == tested
        for name in ("per_user.parquet", "ranks.parquet"):
            pd.testing.assert_frame_equal(
                pd.read_parquet(judged.folder / name), pd.read_parquet(two.folder / name)
            )


def test_a_mistake_that_only_the_data_show_ends_both_with_one_line(call: Call) -> None:
    before = psutil.Process().children()  # other tests' workers wait for more work
    finished = call(*TINY, *TWO, "data.candidates=2000", "tracking=none")
    assert finished.status == 2
    assert finished.err.startswith("error: data.candidates=2000 is more than the catalogue allows")
    assert finished.err.count("\n") == 1
    left = [child for child in psutil.Process().children() if child not in before]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("model=ease",),
            "ease is fitted by one process: leave out trainer=ddp, or say trainer.de",
        ),
        (("trainer.nodes=2",), "trainer.nodes: start the command on every machine, by srun or tor"),
        (("+trainer.more.strategy=fsdp",), "trainer.more.strategy: several processes share steps"),
    ],
)
def test_mistakes(call: Call, words: tuple[str, ...], line: str) -> None:
    finished = call(*TINY, *TWO, *words, "tracking=none")
    assert finished.status == 2
    assert finished.err.startswith(f"error: {line}")


def test_a_process_that_is_killed_ends_the_run_in_one_line(tmp_path: Path) -> None:
    words = (*SMALL_DATA, *TWO, "trainer.threads=1", "trainer.max_epochs=500", "tracking=none")
    process = start(tmp_path, *words)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    (other,) = psutil.Process(process.pid).children()
    other.kill()
    out, err = process.communicate(timeout=30)
    finished = Finished(process.returncode, out, err)
    assert finished.status == 1
    assert finished.err == "error: process 2 of 2 was killed by SIGKILL\n"


def torchrun(home: Path, *words: str) -> Finished:
    command = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "src.train", *words)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env={**os.environ, "NCF_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_torchrun_starts_them(tmp_path: Path) -> None:
    words = (*TINY, *TWO, "tracking=none", "data.batch_size=1024")
    sweep = torchrun(tmp_path, "-m", *words, "model=gmf,ease")
    assert "1 finished, 1 failed" in sweep.out
    assert sweep.out.count("\nepoch ") == 2
    assert len(list((tmp_path / "outputs" / "jobs").glob("[0-9a-f]*"))) == 2

    one = torchrun(tmp_path, *TINY, "tracking=none")
    assert one.err.count("error: 2 processes were started: trainer=ddp") == 1


@pytest.mark.slow
def test_slurm_starts_them(tmp_path: Path) -> None:
    processes = []
    for rank in (1, 0):
        slurm = {
            "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0",
            "SLURM_JOB_ID": "4321", "SLURM_NODELIST": "127.0.0.1", "SLURM_JOB_NAME": "train",
        }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "src.train", *TINY, *TWO, "tracking=none"],
                cwd=REPOSITORY,
                env={**os.environ, "NCF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1", **slurm},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    other, first = (Finished(p.returncode, *p.communicate(timeout=100)) for p in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert first.out.count("\nepoch ") == 2
    assert (other.out, other.err) == ("", "")
    assert len(list((tmp_path / "outputs" / "runs").iterdir())) == 1


@pytest.mark.slow
def test_stages_and_a_second_training(call: Call) -> None:
    words = (*TINY, *TWO, "tracking=none", "data.batch_size=1024", "protocol.refit=true")
    finished = call("experiment=neumf-pretrained", *words)
    assert finished.status == 0, finished.err
    assert finished.out.count("fitting again with validation") == 3


@pytest.mark.slow
def test_ctrl_c_in_a_sweep_leaves_none(tmp_path: Path) -> None:
    words = (*SMALL_DATA, *TWO, "trainer.threads=1", "trainer.max_epochs=500", "tracking=none")
    process = start(tmp_path, "-m", *words, "seed=0,1")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    others = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "the same command goes on from here" in out
    assert not psutil.wait_procs(others, 5)[1]

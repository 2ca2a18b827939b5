"""`python -m src.train resume=...`: a run that is killed goes on to the same end."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.commands import ONE_THREAD, SMALL_DATA, Finished, finish, start, train
from tests.conftest import Call
from tests.test_end_to_end import repeatable

RUN = (
    "data=synthetic",
    "data.source.n_users=1000",
    "data.source.n_items=500",
    "data.source.n_interactions=60000",
    *ONE_THREAD,
    "data.batch_size=16",
    "trainer.max_epochs=6",
    "trainer.patience=null",
    "checkpoint_every=150steps",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return train(tmp_path_factory.mktemp("whole"), *RUN)


def kill_within(home: Path, sent: signal.Signals, *words: str) -> tuple[Path, Finished]:
    """Start the run, end it within its third epoch, and return its folder."""
    process = start(home, *RUN, *words)
    assert process.stdout is not None
    said = ""
    while not said.startswith("epoch  2/"):
        said = process.stdout.readline()
        assert process.poll() is None, process.communicate()
    (folder,) = (home / "outputs" / "runs").iterdir()
    while not (folder / "checkpoints" / "unfinished.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(sent)
    return folder, finish(process)


def last(folder: Path) -> dict[str, list[float]]:
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: value.tolist() for name, value in content["state_dict"].items()}


def assert_same_end(folder: Path, other: Path) -> None:
    assert repeatable(folder) == repeatable(other)
    assert last(folder) == last(other)
    for name in ("per_user.parquet", "ranks.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / name), pd.read_parquet(other / name))


def recorded(home: Path) -> dict[int, float]:
    """The losses of the only run by epoch, each recorded once."""
    with sqlite3.connect(home / "outputs" / "mlflow.db") as database:
        runs = database.execute("SELECT status FROM runs").fetchall()
        assert runs == [("FINISHED",)]
        points = database.execute(
            "SELECT step, value FROM metrics WHERE key = 'train/loss' ORDER BY step"
        ).fetchall()
    assert len(dict(points)) == len(points)
    return dict(points)


@pytest.mark.parametrize("resume", ["auto", "folder"])
def test_a_killed_run_goes_on_in_its_folder_and_record(
    resume: str, tmp_path: Path, whole: Finished
) -> None:
    folder, killed = kill_within(tmp_path, signal.SIGKILL)
    assert killed.status == -signal.SIGKILL
    words = ("resume=auto", *RUN) if resume == "auto" else (f"resume={folder}",)
    again = train(tmp_path, *words)
    assert again.status == 0, again.err
    assert again.folder == folder
    assert f"going on with {folder}" in again.out or resume != "auto"
    assert "epoch  1/" not in again.out
    assert list((tmp_path / "outputs" / "runs").iterdir()) == [folder]
    assert_same_end(folder, whole.folder)
    # Lightning hands floats of 32 bits to loggers
    losses = recorded(whole.folder.parents[2])
    assert recorded(tmp_path) == pytest.approx(losses, rel=1e-6)


def test_ctrl_c_prints_the_command_that_goes_on(tmp_path: Path, whole: Finished) -> None:
    folder, stopped = kill_within(tmp_path, signal.SIGINT, "tracking=none")
    assert stopped.status == 128 + signal.SIGINT
    said = stopped.out.splitlines()[-1]
    assert said == f"to go on: python -m src.train resume={folder}"
    again = train(tmp_path, *said.split("src.train ")[1].split())
    assert again.status == 0, again.err
    assert_same_end(folder, whole.folder)


def test_what_can_t_go_on_says_why(call: Call, tmp_path: Path) -> None:
    words = (*SMALL_DATA, "tracking=none", "trainer.max_epochs=1")
    done = call(*words, f"hydra.run.dir={tmp_path}/runs/one")
    assert done.status == 0
    folder = tmp_path / "runs" / "one"
    again = call(f"resume={folder}")
    assert (again.status, again.err) == (
        2,
        f"error: resume={folder} is finished: there is nothing to go on with\n",
    )
    (folder / "metrics.json").unlink()
    other = call(*words, "model.factors=9", f"resume={folder}")
    assert other.status == 2
    assert "was started with other options or another version of the code" in other.err
    assert call(f"resume={tmp_path}").err.endswith("is no folder of a run that was cut off\n")


def test_auto_begins_a_new_run_where_there_is_nothing_to_go_on_with(
    call: Call, tmp_path: Path
) -> None:
    words = (*SMALL_DATA, "tracking=none", "trainer.max_epochs=1", "resume=auto")
    first = call(*words, f"hydra.run.dir={tmp_path}/runs/one")
    assert first.status == 0
    assert "nothing to go on with: a new run" in first.out
    second = call(*words, "model.factors=9", f"hydra.run.dir={tmp_path}/runs/two")
    assert second.folder == tmp_path / "runs" / "two"


def test_a_folder_may_not_name_foreign_code(call: Call, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    about = {"key": "0" * 16, "words": ["data=synthetic", "model._target_=os.system"]}
    (tmp_path / "theirs" / "started.json").write_text(json.dumps(about))
    done = call(f"resume={tmp_path}/theirs")
    assert done.status == 2
    assert "names os.system as model, which is none of this project's" in done.err

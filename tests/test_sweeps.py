"""Several runs from one command: the tree they make, and the command given again."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from src.tracking.reading import Reader
from src.tracking.views import ALL_RUNS, TAG
from tests.commands import SMALL_DATA, TINY, Finished, start, train
from tests.test_end_to_end import repeatable
from tests.tracking.test_mlflow import artifacts, runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

ONE_EPOCH = (*TINY, "trainer.max_epochs=1")


def tree(client: MlflowClient, experiment: str) -> tuple[Run, list[Run]]:
    """The only parent of the experiment, and its children in the order they were made."""
    runs = runs_of(client, experiment)
    (parent,) = [run for run in runs if run.data.tags.get("kind") == "sweep"]
    children = [run for run in runs if run is not parent]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    return parent, children


def sweep_of(finished: Finished) -> pd.DataFrame:
    return pd.read_csv(finished.said("jobs"))


def test_a_sweep_is_a_tree(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *ONE_EPOCH, "model=gmf,neumf", "seed=0,1", "tracking.experiment=tree")
    finished = call(*words, home=trained.home)
    assert finished.status == 0, finished.err

    client = MlflowClient(trained.uri)
    parent, children = tree(client, "tree")
    assert parent.info.run_name.startswith("synthetic_gmf-neumf_seed-0-1-")
    assert [(c.data.params["model.name"], c.data.params["seed"]) for c in children] == [
        ("gmf", "0"),
        ("gmf", "1"),
        ("neumf", "0"),
        ("neumf", "1"),
    ]
    names = ["gmf seed=0", "gmf seed=1", "neumf seed=0", "neumf seed=1"]
    assert [child.info.run_name for child in children] == names
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {child.data.tags["sweep"] for child in children} == {parent.info.run_name}
    colors = [child.data.tags["mlflow.runColor"] for child in children]
    assert len(set(colors)) == 4
    note = parent.data.tags["mlflow.note.content"]
    link = f"#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}/artifacts/"
    assert note.startswith(f"[report]({link}report.html)")
    jobs = trained.home / "outputs" / "jobs"
    for child in children:
        assert child.data.tags["output_folder"] == str(jobs / child.data.tags["job"])
    assert len({child.data.tags["data_fingerprint"] for child in children}) == 1
    assert "preparing" not in finished.out
    assert parent.data.metrics["jobs/finished"] == 4

    folder = Path(finished.said("report")).parent
    assert folder == trained.home / "outputs" / "sweeps" / parent.info.run_name
    assert artifacts(client, parent.info.run_id) >= {"jobs.csv", "report.html", "report"}
    table = sweep_of(finished)
    assert list(table["status"]) == ["finished"] * 4
    assert list(table["job"]) == [child.data.tags["job"] for child in children]


def test_the_same_command_again_runs_nothing(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *ONE_EPOCH, "model=gmf", "seed=5,6", "tracking.experiment=again")
    once, twice = (call(*words, home=trained.home) for _ in range(2))
    assert "2 jobs, 2 finished before" in twice.out
    assert "epoch" not in twice.out
    assert sweep_of(once).equals(sweep_of(twice))
    parent, children = tree(MlflowClient(trained.uri), "again")
    assert len(children) == 2

    rerun = call(*words, "sweep.rerun=true", home=trained.home)
    assert rerun.out.count("\nepoch ") == 2
    again, children = tree(MlflowClient(trained.uri), "again")
    assert again.info.run_id == parent.info.run_id
    assert len(children) == 4


def test_a_job_of_two_sweeps_runs_once(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *ONE_EPOCH, "model=gmf")
    first = call(*words, "seed=7,8", "tracking.experiment=first", home=trained.home)
    assert first.status == 0, first.err
    second = call(*words, "seed=8,9", "tracking.experiment=second", home=trained.home)
    assert "2 jobs, 1 finished before" in second.out
    assert second.out.count("\nepoch ") == 1

    client = MlflowClient(trained.uri)
    _, (_, original) = tree(client, "first")
    _, children = tree(client, "second")
    (copy,) = [child for child in children if child.data.params["seed"] == "8"]
    assert copy.info.run_id != original.info.run_id
    assert len({child.data.tags["mlflow.runColor"] for child in children}) == 2
    own = f"runs/{copy.info.run_id}/artifacts/recommended.html)"
    assert own in copy.data.tags["mlflow.note.content"]
    assert copy.data.tags["job"] == original.data.tags["job"]
    # what Lightning logged in single precision comes from the folder in double
    assert copy.data.metrics == pytest.approx(original.data.metrics, rel=1e-6)
    assert copy.data.params == original.data.params
    for name in original.data.metrics:
        steps = [
            [point.step for point in client.get_metric_history(run_id, name)]
            for run_id in (original.info.run_id, copy.info.run_id)
        ]
        assert steps[0] == steps[1]
    missing = artifacts(client, original.info.run_id) - artifacts(client, copy.info.run_id)
    assert missing == {"checkpoints"}


def test_a_job_that_fails_leaves_the_others_alone(trained: TrainedHome) -> None:
    words = ("-m", *ONE_EPOCH, "model=gmf", "model.factors=4,abc,8")
    finished = train(trained.home, *words, "tracking.experiment=failing-job")
    assert finished.status == 2
    mistake = "model.factors=abc: Input should be a valid integer"
    (line,) = [line for line in finished.err.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: 1 of 3 jobs failed, the first with: {mistake}")
    assert "Traceback" not in finished.err
    assert list(sweep_of(finished)["status"]) == ["finished", "failed", "finished"]

    parent, children = tree(MlflowClient(trained.uri), "failing-job")
    statuses = {child.data.params["model.factors"]: child.info.status for child in children}
    assert statuses == {"4": "FINISHED", "abc": "FAILED", "8": "FINISHED"}
    (failed,) = [child for child in children if child.info.status == "FAILED"]
    assert failed.data.tags["error"].startswith(mistake)
    assert parent.data.metrics["jobs/failed"] == 1


def test_killed_and_started_again(trained: TrainedHome) -> None:
    words = (
        "-m", *SMALL_DATA, "trainer=cpu", "ks=[1,10]", "trainer.patience=null", "model=gmf",
        "trainer.max_epochs=150", "seed=0,1", "tracking.experiment=killed",
    )  # fmt: skip
    process = start(trained.home, *words)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("job 2 of 2"):
            break
    for line in process.stdout:
        if line.startswith("epoch  3/"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()

    # its table was there while it ran
    client = MlflowClient(trained.uri)
    begun = next(run.info for run in runs_of(client, "killed"))
    known = client.get_experiment(begun.experiment_id).tags
    assert {f"{TAG}{begun.run_id}", f"{TAG}{ALL_RUNS}"} <= set(known)

    again = train(trained.home, *words)
    assert again.status == 0, again.err
    assert "2 jobs, 1 finished before" in again.out
    first_epoch = next(line for line in again.out.splitlines() if line.startswith("epoch"))
    assert int(first_epoch[5:].split("/")[0]) > 1
    parent, children = tree(client, "killed")
    assert [run.info.status for run in (parent, *children)] == ["FINISHED"] * 3

    # as if it had never been killed
    single = train(trained.home, *words[1:-2], "seed=1", "tracking=none")
    (second,) = sweep_of(again)[lambda table: table["seed"] == 1]["folder"]
    assert repeatable(single.folder) == repeatable(Path(second))


def test_jobs_in_parallel(trained: TrainedHome) -> None:
    words = ("-m", *ONE_EPOCH, "hydra/launcher=joblib", "model=gmf", "model.factors=5,abc,9")
    started = time.time()
    finished = train(trained.home, *words, "tracking.experiment=parallel")
    assert finished.status == 2
    assert "epoch" not in finished.out
    assert finished.out.count("\ndone: gmf factors=") == 2
    table = sweep_of(finished)
    assert list(table["status"]) == ["finished", "failed", "finished"]
    output = Path(table.loc[0, "folder"]) / "output.txt"
    assert output.stat().st_mtime > started
    assert "epoch  1/1" in output.read_text()
    _, children = tree(MlflowClient(trained.uri), "parallel")
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED", "FINISHED"]


def test_pretraining_is_shared_with_jobs(trained: TrainedHome, call: Call) -> None:
    one = ("-m", *ONE_EPOCH, "tracking.experiment=stages", "seed=3", "sweep.name=parts")
    parts = call(*one, "model=gmf,mlp", home=trained.home)
    assert parts.status == 0, parts.err
    two = ("-m", *ONE_EPOCH, "tracking.experiment=stages", "seed=3", "sweep.name=fused")
    fused = call(*two, "experiment=neumf-pretrained", home=trained.home)
    assert fused.status == 0, fused.err
    assert "pre-training gmf" in fused.out
    assert fused.out.count("\nepoch ") == 1  # the fusion's own


def test_a_job_that_another_had_as_a_stage_has_a_record(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *ONE_EPOCH, "tracking.experiment=both", "seed=4", "sweep.name=both")
    systems = "experiment=paper/system/neumf-pretrained,paper/system/gmf"
    finished = call(*words, systems, "data=synthetic", home=trained.home)
    assert finished.status == 0, finished.err
    runs = Reader(trained.uri).sweep("both")
    assert {run.tags["model"] for run in runs} == {"neumf", "gmf"}


def test_an_unknown_option_ends_the_sweep_before_it_begins(call: Call, tmp_path: Path) -> None:
    finished = call("-m", *TINY, "model=gmf,neumf", "model.factor=8")
    assert finished.status == 2
    assert finished.err.startswith("error: no option model.factor; did you mean model.factors")
    assert not (tmp_path / "outputs" / "sweeps").exists()


def test_a_key_and_a_name_that_look_like_numbers(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = iter(["9694e04467541234", "1e5"])
    monkeypatch.setattr("src.sweeping.plan.make_key", lambda *_: next(keys))
    words = ("-m", *ONE_EPOCH, "model=itempop", "seed=0,1", "tracking=none", "sweep.name=1e5")
    finished = call(*words)
    assert finished.status == 0, finished.err
    assert sorted(job.name for job in (tmp_path / "outputs" / "jobs").glob("[!.]*")) == [
        "1e5",
        "9694e04467541234",
    ]
    assert finished.said("jobs") == f"{tmp_path}/outputs/sweeps/1e5/jobs.csv"
    assert set(sweep_of(finished)["status"]) == {"finished"}

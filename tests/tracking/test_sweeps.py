"""Several runs from one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.tracking import MlflowClient

from tests.commands import TINY, train
from tests.tracking.test_mlflow import runs_of

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


def test_a_sweep_is_a_run_for_each_combination(trained: TrainedHome, call: Call) -> None:
    words = ("-m", *TINY, "trainer.max_epochs=1", "model=gmf,neumf", "seed=0,1")
    finished = call(*words, "tracking.experiment=sweep", home=trained.home)
    assert finished.status == 0, finished.err

    runs = runs_of(MlflowClient(trained.uri), "sweep")
    combinations = {run.data.tags["sweep_job"]: run.data.params for run in runs}
    assert {job: (p["model.name"], p["seed"]) for job, p in combinations.items()} == {
        "0": ("gmf", "0"),
        "1": ("gmf", "1"),
        "2": ("neumf", "0"),
        "3": ("neumf", "1"),
    }
    assert {run.info.status for run in runs} == {"FINISHED"}
    (sweep,) = {run.data.tags["sweep"] for run in runs}
    sweeps = trained.home / "outputs" / "sweeps"
    for run in runs:
        assert run.data.tags["output_folder"] == f"{sweeps}/{sweep}/{run.data.tags['sweep_job']}"
    assert len({run.data.tags["data_fingerprint"] for run in runs}) == 1
    assert "preparing" not in finished.out


def test_a_job_that_fails_leaves_the_others_alone(trained: TrainedHome) -> None:
    words = ("-m", *TINY, "trainer.max_epochs=1", "model=gmf", "model.factors=4,abc,8")
    finished = train(trained.home, *words, "tracking.experiment=failing-sweep")
    assert finished.status == 2
    mistake = "model.factors=abc: Input should be a valid integer"
    (line,) = [line for line in finished.err.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {mistake}")
    assert "Traceback" not in finished.err

    runs = runs_of(MlflowClient(trained.uri), "failing-sweep")
    statuses = {run.data.params["model.factors"]: run.info.status for run in runs}
    assert statuses == {"4": "FINISHED", "abc": "FAILED", "8": "FINISHED"}

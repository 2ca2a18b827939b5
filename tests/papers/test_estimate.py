"""How long missing runs take: which recorded runs are of the same kind, and how seconds add up."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.papers.estimate import Estimate, estimate_missing, read_seconds
from src.papers.exhibits import EXHIBITS, name_system
from src.papers.request import PaperRequest
from src.papers.sweeps import list_sweeps
from src.run.identity import name_kind
from src.sweeping.plan import Job
from tests.papers.test_sweeps import TINY

GMF: dict[str, Any] = {
    "seed": 0,
    "model": {"name": "gmf", "factors": 8},
    "loss": {"_target_": "losses.BCE"},
    "optimizer": {"_target_": "adam.Adam", "lr": 0.001},
    "data": {"name": "ncf-ml-1m", "batch_size": 256, "negatives": 4, "root": "outputs/data"},
    "protocol": {"name": "leave-one-out", "refit": False},
    "trainer": {"max_epochs": 30, "patience": 5, "threads": 1},
    "sweep": {"jobs": "outputs/jobs", "rerun": False},
}
NEUMF = {**GMF, "model": {"name": "neumf", "pretrained": {"gmf": None, "mlp": None}}}


def change(options: dict[str, Any], group: str, **values: Any) -> dict[str, Any]:
    """Return the options with other values in a group."""
    changed = deepcopy(options)
    changed[group] |= values
    return changed


def plan_job(jobs: Path, key: str, options: dict[str, Any]) -> Job:
    """Return a job that has not run."""
    return Job([], {}, options, key, jobs / key)


def finish(job: Job, options: dict[str, Any] | None = None, **seconds: float) -> None:
    """Write the files by which a finished run is known, with the seconds of its parts."""
    job.folder.mkdir(parents=True)
    (job.folder / "config.yaml").write_text(yaml.safe_dump(options or job.options))
    metrics = {f"{part}/seconds": value for part, value in seconds.items()}
    (job.folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    "other",
    [
        {**GMF, "seed": 1},
        change(GMF, "trainer", threads=2),
        change(GMF, "data", root="elsewhere"),
        change(GMF, "sweep", rerun=True),
    ],
)
def test_runs_of_the_same_kind(other: dict[str, Any]) -> None:
    assert name_kind(other) == name_kind(GMF)


@pytest.mark.parametrize(
    "other",
    [
        change(GMF, "model", factors=16),
        change(GMF, "loss", _target_="losses.BPR"),
        change(GMF, "optimizer", lr=0.01),
        change(GMF, "data", name="ncf-pinterest"),
        change(GMF, "data", batch_size=4096),
        change(GMF, "data", negatives=8),
        change(GMF, "protocol", refit=True),
        change(GMF, "trainer", patience=None),
        NEUMF,
    ],
)
def test_runs_of_another_kind(other: dict[str, Any]) -> None:
    assert name_kind(other) != name_kind(GMF)


def test_it_does_not_matter_from_which_runs_a_model_starts() -> None:
    one, other = (
        change(NEUMF, "model", pretrained={"gmf": f"jobs/{key}", "mlp": f"jobs/{key}b"})
        for key in ("a", "c")
    )
    assert name_kind(one) == name_kind(other)
    assert name_kind(one) != name_kind(NEUMF)
    assert name_kind(change(GMF, "model", pretrained="words.txt")) != name_kind(GMF)


def test_seconds_of_recorded_runs(tmp_path: Path) -> None:
    finish(plan_job(tmp_path, "a", GMF), fit=10.0)
    finish(plan_job(tmp_path, "b", {**GMF, "seed": 1}), fit=20.0, refit=5.0)
    finish(plan_job(tmp_path, "c", NEUMF), fit=100.0)
    unfinished = plan_job(tmp_path, "d", NEUMF)
    unfinished.folder.mkdir()
    (unfinished.folder / "config.yaml").write_text(yaml.safe_dump(NEUMF))
    assert read_seconds([tmp_path]) == {name_kind(GMF): [10.0, 25.0], name_kind(NEUMF): [100.0]}
    assert read_seconds([tmp_path / "nowhere"]) == {}


def test_a_run_takes_the_median_of_its_kind(tmp_path: Path) -> None:
    jobs = [plan_job(tmp_path, str(seed), {**GMF, "seed": seed}) for seed in range(5)]
    for job, seconds in zip(jobs, (10.0, 90.0, 20.0), strict=False):
        finish(job, fit=seconds)
    # two are missing, of a kind that took 10, 20 and 90 seconds; one that is named twice runs once
    assert estimate_missing([*jobs, jobs[-1]], workers=1) == Estimate(3, 2, 0, 40.0, 1)
    assert estimate_missing(jobs, workers=2) == Estimate(3, 2, 0, 20.0, 2)
    assert estimate_missing(jobs[:3], workers=2) == Estimate(3, 0, 0, 0.0, 2)


def test_nothing_is_guessed_of_other_kinds(tmp_path: Path) -> None:
    jobs = [plan_job(tmp_path, "a", GMF), plan_job(tmp_path, "b", NEUMF)]
    assert estimate_missing(jobs, workers=1) == Estimate(0, 0, 2, 0.0)
    finish(plan_job(tmp_path, "c", {**GMF, "seed": 7}), fit=12.5)
    assert estimate_missing(jobs, workers=1) == Estimate(0, 1, 1, 12.5)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Estimate(74, 0, 0, 0.0), "74 runs: 74 there, none missing"),
        (
            Estimate(10, 64, 0, 2400.0, workers=2),
            "74 runs: 10 there, 64 missing, which take about 40 min, 2 at once, "
            "as such runs took before",
        ),
        (
            Estimate(10, 60, 4, 45.0),
            "74 runs: 10 there, 64 missing, which take about 45 s, as 60 of them took before; "
            "4 are of a kind that has not run here yet",
        ),
        (
            Estimate(0, 2, 1, 45.0),
            "3 runs: 0 there, 3 missing, which take about 45 s, as 2 of them took before; "
            "1 is of a kind that has not run here yet",
        ),
        (Estimate(0, 0, 1, 0.0), "1 run: 0 there, 1 missing, of kinds that have not run here yet"),
    ],
)
def test_the_line(found: Estimate, line: str) -> None:
    assert found.describe() == line


def plan_paper_jobs(tmp_path: Path, seed: int) -> dict[tuple[str, int], Job]:
    """Return the quick jobs of table 2 and figure 6, by system and factors, each once."""
    own = (*TINY, f"data.cache={tmp_path}", f"sweep.jobs={tmp_path}/jobs", "trainer=cpu")
    exhibits = [EXHIBITS["table2"], EXHIBITS["figure6"]]
    options = (*own, f"seed={seed}")
    request = PaperRequest(exhibits, ["synthetic"], ["leave-one-out"], quick=True, options=options)
    jobs = [job for mine in list_sweeps(request).values() for sweep in mine for job in sweep.jobs]
    return {(name_system(job.options), job.options["model"]["factors"]): job for job in jobs}


def test_each_run_and_each_stage_counts_once(tmp_path: Path) -> None:
    before, now = (plan_paper_jobs(tmp_path, seed) for seed in (0, 1))
    # NeuMF from scratch and pre-trained at two sizes, GMF and MLP at 8 factors
    assert len(now) == 6
    assert estimate_missing(now.values(), workers=1) == Estimate(0, 0, 6, 0.0)
    for key, seconds in {("gmf", 8): 1.0, ("mlp", 8): 2.0, ("neumf", 8): 4.0}.items():
        finish(before[key], fit=seconds)
    # its record names the runs that it began with
    fused = deepcopy(before["neumf-pretrained", 8].options)
    del fused["pretrain"]
    fused["model"]["pretrained"] = {"gmf": "jobs/a", "mlp": "jobs/b"}
    finish(before["neumf-pretrained", 8], fused, fit=8.0)
    # the parts at 8 factors are runs of their own too; none of those at 16 has run
    assert estimate_missing(now.values(), workers=1) == Estimate(0, 4, 2, 15.0)
    for job in (now["gmf", 8], now["neumf", 8]):
        finish(job, fit=3.0)
    assert estimate_missing(now.values(), workers=1) == Estimate(2, 2, 2, 10.0)
    # alone, it brings the stage that is missing along
    fusion = now["neumf-pretrained", 8]
    assert estimate_missing([fusion], workers=1) == Estimate(0, 1, 0, 10.0)
    finish(now["mlp", 8], fit=3.0)
    assert estimate_missing([fusion], workers=1) == Estimate(0, 1, 0, 8.0)


def test_a_run_is_not_timed_without_its_stages(tmp_path: Path) -> None:
    before, now = (plan_paper_jobs(tmp_path, seed) for seed in (0, 1))
    fused = deepcopy(before["neumf-pretrained", 8].options)
    del fused["pretrain"]
    fused["model"]["pretrained"] = {"gmf": "jobs/a", "mlp": "jobs/b"}
    finish(before["neumf-pretrained", 8], fused, fit=8.0)
    fusion = now["neumf-pretrained", 8]
    assert estimate_missing([fusion], workers=1) == Estimate(0, 0, 1, 0.0)

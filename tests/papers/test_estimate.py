"""How long missing runs take: which recorded runs are of the same kind, and how seconds add up."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.config.compose import Plain
from src.papers.estimate import Estimate, Records, estimate_missing, measure_steps, read_records
from src.papers.exhibits import EXHIBITS, name_system
from src.papers.request import PaperRequest
from src.papers.sweeps import list_sweeps
from src.run.identity import name_kind
from src.run.rehearsal import Rehearsal
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


class Watch:
    """What twenty steps of a run said: 3 s of training an epoch, 1 s of judging and keeping it."""

    training_seconds, judging_seconds, keeping_seconds = 3.0, 0.75, 0.25


def measure(options: Plain) -> Rehearsal:
    """Return what a run of two epochs would be found to take."""
    return Rehearsal("", 0, 0, 0, 0, 256, 2, Watch(), False, False)  # type: ignore[arg-type]


def never(options: Plain) -> Rehearsal:
    raise AssertionError("runs of this kind have run before")


def test_seconds_of_recorded_runs(tmp_path: Path) -> None:
    finish(plan_job(tmp_path, "a", GMF), fit=10.0)
    finish(plan_job(tmp_path, "b", {**GMF, "seed": 1}), fit=20.0, refit=5.0)
    finish(plan_job(tmp_path, "c", NEUMF), fit=100.0)
    unfinished = plan_job(tmp_path, "d", NEUMF)
    unfinished.folder.mkdir()
    (unfinished.folder / "config.yaml").write_text(yaml.safe_dump(NEUMF))
    seconds = {name_kind(GMF): [10.0, 25.0], name_kind(NEUMF): [100.0]}
    assert read_records([tmp_path]) == Records(seconds, 1.0)
    assert read_records([tmp_path / "nowhere"]) == Records({}, 1.0)


def test_a_run_takes_the_median_of_its_kind(tmp_path: Path) -> None:
    jobs = [plan_job(tmp_path, str(seed), {**GMF, "seed": seed}) for seed in range(5)]
    for job, seconds in zip(jobs, (10.0, 90.0, 20.0), strict=False):
        finish(job, fit=seconds)
    # two are missing, of a kind that took 10, 20 and 90 seconds; one that is named twice runs once
    assert estimate_missing([*jobs, jobs[-1]], 1, never) == Estimate(3, 2, 0, 40.0, 1)
    assert estimate_missing(jobs, 2, never) == Estimate(3, 2, 0, 20.0, 2)
    assert estimate_missing(jobs[:3], 2, never) == Estimate(3, 0, 0, 0.0, 2)


def test_what_has_not_run_is_measured(tmp_path: Path) -> None:
    jobs = [plan_job(tmp_path, "a", GMF), plan_job(tmp_path, "b", NEUMF)]
    # 30 epochs of 4 s each
    assert estimate_missing(jobs, 1, measure) == Estimate(0, 0, 2, 240.0)
    finish(plan_job(tmp_path, "c", {**GMF, "seed": 7}), fit=12.5)
    assert estimate_missing(jobs, 1, measure) == Estimate(0, 1, 1, 132.5)


def test_one_of_a_shape_is_measured_for_all_protocols(tmp_path: Path) -> None:
    measured = []
    test = change(GMF, "protocol", name="ncf2017")
    refit = change(GMF, "protocol", refit=True)
    through = change(test, "trainer", patience=None, max_epochs=10)
    jobs = [plan_job(tmp_path, str(i), one) for i, one in enumerate((GMF, test, refit, through))]

    def note(options: Plain) -> Rehearsal:
        measured.append(options)
        return measure(options)

    # 30 epochs of 4 s, in refit 30 of 3 s more, and 10 of 4 s
    assert estimate_missing(jobs, 1, note).seconds == 120 + 120 + 210 + 40
    assert measured == [GMF]


def test_the_seconds_in_which_a_machine_slept_do_not_count(tmp_path: Path) -> None:
    run = plan_job(tmp_path, "a", GMF)
    finish(run, fit=3618.0)
    rows = ["0,2.5,0.5", "1,3599.5,0.5", "2,2.5,0.5", "3,2.5,0.5", "4,4,0.5", "5,1,1"]
    lines = "\n".join(["epoch,train/seconds,eval/seconds", *rows])
    (run.folder / "history.csv").write_text(lines)
    assert read_records([tmp_path]).seconds == {name_kind(GMF): [21.0]}


def test_a_run_that_may_stop_early_takes_as_long_as_those_before(tmp_path: Path) -> None:
    finish(plan_job(tmp_path, "a", GMF), fit=1.0)
    metrics = {"fit/seconds": 1.0, "fit/epochs": 15}  # of 30
    (tmp_path / "a" / "metrics.json").write_text(json.dumps(metrics))
    through = change(NEUMF, "trainer", patience=None)
    stopping, whole = plan_job(tmp_path, "b", NEUMF), plan_job(tmp_path, "c", through)
    assert estimate_missing([stopping], 1, measure).seconds == 60
    assert estimate_missing([whole], 1, measure).seconds == 120


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
            "74 runs: 10 there, 64 missing, which take about 45 s, as 60 of them took before, "
            "the others by some of their steps",
        ),
        (
            Estimate(0, 0, 1, 10.0),
            "1 run: 0 there, 1 missing, which take about 10 s, by some of their steps",
        ),
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
    # eight runs: the two pre-trained ones at 16 factors bring a GMF and an MLP along
    each = 4.0 * now["gmf", 8].options["trainer"]["max_epochs"]
    assert estimate_missing(now.values(), 1, measure) == Estimate(0, 0, 6, 8 * each)
    for key, seconds in {("gmf", 8): 1.0, ("mlp", 8): 2.0, ("neumf", 8): 4.0}.items():
        finish(before[key], fit=seconds)
    # its record names the runs that it began with
    fused = deepcopy(before["neumf-pretrained", 8].options)
    del fused["pretrain"]
    fused["model"]["pretrained"] = {"gmf": "jobs/a", "mlp": "jobs/b"}
    finish(before["neumf-pretrained", 8], fused, fit=8.0)
    # the parts at 8 factors are runs of their own too; none of those at 16 has run
    assert estimate_missing(now.values(), 1, measure) == Estimate(0, 4, 2, 15 + 4 * each)
    for job in (now["gmf", 8], now["neumf", 8]):
        finish(job, fit=3.0)
    assert estimate_missing(now.values(), 1, measure) == Estimate(2, 2, 2, 10 + 4 * each)
    # alone, it brings the stage that is missing along
    fusion = now["neumf-pretrained", 8]
    assert estimate_missing([fusion], 1, never) == Estimate(0, 1, 0, 10.0)
    finish(now["mlp", 8], fit=3.0)
    assert estimate_missing([fusion], 1, never) == Estimate(0, 1, 0, 8.0)


def test_a_run_is_measured_with_its_stages(tmp_path: Path) -> None:
    before, now = (plan_paper_jobs(tmp_path, seed) for seed in (0, 1))
    fused = deepcopy(before["neumf-pretrained", 8].options)
    del fused["pretrain"]
    fused["model"]["pretrained"] = {"gmf": "jobs/a", "mlp": "jobs/b"}
    finish(before["neumf-pretrained", 8], fused, fit=8.0)
    fusion = now["neumf-pretrained", 8]
    each = 4.0 * fusion.options["trainer"]["max_epochs"]
    assert estimate_missing([fusion], 1, measure) == Estimate(0, 0, 1, 8 + 2 * each)


def test_steps_are_measured_without_the_runs_that_a_model_starts_from(tmp_path: Path) -> None:
    fusion = plan_paper_jobs(tmp_path, 0)["neumf-pretrained", 8]
    found = measure_steps(fusion.options)
    assert found.seconds > 0
    assert found.epochs == fusion.options["trainer"]["max_epochs"]
    assert not (tmp_path / "jobs").exists()

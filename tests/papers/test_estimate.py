"""How long missing runs take: what is counted, and how seconds add up."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from src.papers.estimate import Speed, estimate
from src.papers.exhibits import THINGS
from src.papers.sweeps import Request, sweeps_of
from src.sweeping.plan import Job
from tests.papers.test_sweeps import TINY

SPEED = Speed(example=1e-6, judging=0.5, ranking=2.0, positives=100_000, epochs=True)


def options(patience: int | None, refit: bool = False) -> dict[str, dict[str, object]]:
    return {
        "data": {"negatives": 4},
        "loss": {"_target_": "losses.BCE"},
        "trainer": {"max_epochs": 30, "patience": patience},
        "protocol": {"refit": refit, "full_ranking": True},
    }


def test_seconds_of_a_run() -> None:
    # an epoch takes .5 for 500,000 examples, and .5 to judge; once 3 aside, .5 and 2 for test
    assert SPEED.of(options(patience=None)) == (35.5, 35.5)
    least, most = SPEED.of(options(patience=5))
    assert (least, most) == (pytest.approx(16.0), 35.5)
    assert SPEED.of(options(patience=None, refit=True)) == (65.5, 65.5)


def test_what_is_fitted_at_once() -> None:
    once = Speed(example=1e-5, judging=0.5, ranking=0.0, positives=100_000, epochs=False)
    fitted = options(patience=5)
    fitted["loss"] = {"_target_": None}
    assert once.of(fitted) == (5.0, 5.0)


def jobs_of(tmp_path: Path) -> list[Job]:
    own = (*TINY, f"data.cache={tmp_path}", f"sweep.jobs={tmp_path}/jobs", "trainer=cpu")
    request = Request(["synthetic"], ["leave-one-out"], quick=True, options=own)
    sweeps = [sweep for name in ("table2", "figure6") for sweep in sweeps_of(THINGS[name], request)]
    return [job for sweep in sweeps for job in sweep.jobs]


def finish(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text("{}")


def test_each_run_and_each_stage_counts_once(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    with mock.patch("src.papers.estimate._measure", return_value=SPEED) as measure:
        # NeuMF from scratch and pre-trained at two sizes, GMF and MLP at 8 factors
        found = estimate(jobs, workers=1, say=lambda _: None)
        assert (found.there, found.missing) == (0, 6)
        # the parts at 8 factors are runs of their own, those at 16 stages of NeuMF
        assert measure.call_count == 8
        halved = estimate(jobs, workers=2, say=lambda _: None)
        assert halved.high == pytest.approx(found.high / 2)
        finish(jobs[0].folder)
        less = estimate(jobs, workers=1, say=lambda _: None)
        assert (less.there, less.missing) == (1, 5)
        assert less.high < found.high
        for job in {job.key: job for job in jobs[1:]}.values():
            finish(job.folder)
        assert estimate(jobs, workers=1, say=lambda _: None).high == 0


def test_real_runs_are_tried(tmp_path: Path) -> None:
    said: list[str] = []
    found = estimate(jobs_of(tmp_path)[:1], workers=1, say=said.append)
    assert found.missing == 1
    assert 0 < found.low < found.high
    assert said == ["measuring 1 kind of runs, a second or two each"]

"""How long the missing runs will take: by recorded runs of the same kinds, or by some steps."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import yaml
from omegaconf import OmegaConf

from src.config.compose import Plain, plain
from src.reporting.wording import counted, duration
from src.run.finished import read_finished
from src.run.identity import make_key, name_kind, name_shape, read_fingerprint
from src.run.pretraining import start_from, take_stages
from src.sweeping.plan import Job

if TYPE_CHECKING:
    from src.run.rehearsal import Rehearsal

# Of many runs there are many files: libyaml reads them ten times faster than Python
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SLEPT = 10
"""An epoch that took so many times as long as the median one was interrupted."""

Measure = Callable[[Plain], "Rehearsal"]
"""Runs some steps of a run and says what they took."""


@dataclass(frozen=True)
class Estimate:
    """The number of missing runs, and the seconds that they will take."""

    there: int
    """Finished runs."""
    timed: int
    """Missing runs whose kind has run here before, as have those of their missing stages."""
    measured: int
    """Missing runs of which one, or a stage of one, is known from some of its steps only."""
    seconds: float
    """What the missing runs take, `workers` at once."""
    workers: int = 1

    def describe(self) -> str:
        """Return the estimate as a line for the terminal."""
        missing = self.timed + self.measured
        line = f"{counted(self.there + missing, 'run')}: {self.there} there"
        if not missing:
            return f"{line}, none missing"
        line += f", {missing} missing, which take about {duration(self.seconds)}"
        line += f", {self.workers} at once" if self.workers > 1 else ""
        if not self.measured:
            return f"{line}, as such runs took before"
        others = f"as {self.timed} of them took before, the others " if self.timed else ""
        return f"{line}, {others}by some of their steps"


def estimate_missing(jobs: Iterable[Job], workers: int, measure: Measure) -> Estimate:
    """Return how many of the jobs are missing, and how long they take, `workers` at once.

    A run takes the median of what finished runs of its kind took. Of a kind that has none, one is
    measured, for all protocols; a run that may stop early takes as much of its epochs as the
    finished ones that could.
    """
    jobs = {job.key: job for job in jobs}.values()
    missing = [job for job in jobs if job.wanted]
    recorded = read_records({job.folder.parent for job in missing})
    work = [_list_work(job) for job in missing]
    timed = [
        runs for runs in work if all(name_kind(run) in recorded.seconds for run in runs.values())
    ]
    # a stage that several jobs share runs once
    runs = {folder: options for mine in work for folder, options in mine.items()}
    unknown: dict[str, Plain] = {}
    for options in runs.values():
        if name_kind(options) not in recorded.seconds:
            unknown.setdefault(name_shape(options), options)
    if unknown:
        kinds = counted(len(unknown), "kind")
        print(f"timing some steps of {kinds} of runs that have not run here yet", flush=True)
    measured = {shape: measure(options) for shape, options in unknown.items()}
    seconds = 0.0
    for options in runs.values():
        took = recorded.seconds.get(name_kind(options))
        seconds += (
            _predict(measured[name_shape(options)], options, recorded.share)
            if took is None
            else median(took)
        )
    n_timed = len(timed)
    return Estimate(
        len(jobs) - len(missing), n_timed, len(work) - n_timed, seconds / workers, workers
    )


def measure_steps(options: Plain) -> Rehearsal:
    """Run some steps of a run by itself, without what it starts from, and print what they took."""
    from src.run.rehearsal import rehearse  # which brings Lightning along

    alone = {**options, "pretrain": {}}
    starts = options["model"].get("pretrained")
    if isinstance(starts, Mapping):
        alone["model"] = {**options["model"], "pretrained": dict.fromkeys(starts)}
    found = rehearse(OmegaConf.create(alone))[-1]
    each = f"{found.epoch_seconds:.2g} s an epoch"
    print(f"{options['model']['name']} of {found.parameters:,} parameters: {each}", flush=True)
    return found


def _predict(rehearsal: Rehearsal, options: Plain, share: float) -> float:
    """Return the seconds of a run, of whose shape another protocol's may have been measured."""
    trainer = options["trainer"]
    whole = replace(
        rehearsal,
        epochs=1 if rehearsal.epochs == 1 else trainer["max_epochs"],
        refit=options["protocol"]["refit"],
    ).seconds
    return whole if trainer["patience"] is None else whole * share


@dataclass(frozen=True)
class Records:
    """What finished runs took."""

    seconds: dict[str, list[float]]
    """Of training, by kind."""
    share: float
    """Of their epochs, the median of those that could stop early; 1 where there are none."""


def read_records(folders: Iterable[Path]) -> Records:
    """Return what the finished runs in these folders of jobs took."""
    seconds = defaultdict(list)
    shares = []
    for folder in folders:
        for file in sorted(folder.glob("*/config.yaml")):
            metrics = read_finished(file.parent)
            if metrics is not None:
                options = yaml.load(file.read_text(), LOADER)
                trained = metrics["fit/seconds"] + metrics.get("refit/seconds", 0.0)
                trained -= _count_slept(file.with_name("history.csv"))
                seconds[name_kind(options)].append(trained)
                trainer = options["trainer"]
                if trainer["patience"] is not None and "fit/epochs" in metrics:
                    shares.append(metrics["fit/epochs"] / trainer["max_epochs"])
    return Records(dict(seconds), median(shares or [1.0]))


def _count_slept(history: Path) -> float:
    """Return the seconds of a run in which its machine slept: what few epochs took too long."""
    if not history.exists():
        return 0.0
    with history.open() as lines:
        epochs = [
            float(row["train/seconds"]) + float(row["eval/seconds"])
            for row in csv.DictReader(lines)
        ]
    usual = median(epochs)
    return sum(epoch - usual for epoch in epochs if epoch > SLEPT * usual)


def _list_work(job: Job) -> dict[Path, Plain]:
    """Return the options of the job's run, and of the stages before it that are missing.

    By the folder that each will have; the stages come first.
    """
    if not job.options.get("pretrain"):
        return {job.folder: job.options}
    cfg = OmegaConf.create(job.options)
    work: dict[Path, Plain] = {}
    for name, stage in take_stages(cfg).items():
        options = plain(stage)
        folder = _find_folder(options, job)
        if read_finished(folder) is None:
            work[folder] = options
        start_from(cfg, name, folder)
    return {**work, job.folder: plain(cfg)}


def _find_folder(options: Plain, job: Job) -> Path:
    """Return the folder beside the job's that a run with these options has."""
    same = options["data"] == job.options["data"]
    fingerprint = job.fingerprint if same else read_fingerprint(options)
    return job.folder.parent / make_key(options, fingerprint)

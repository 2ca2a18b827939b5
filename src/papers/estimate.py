"""How long the missing runs will take: as long as recorded runs of the same kinds took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml
from omegaconf import OmegaConf

from src.config.compose import Plain, plain
from src.reporting.wording import counted, duration
from src.run.finished import read_finished
from src.run.identity import make_key, name_kind, read_fingerprint
from src.run.pretraining import take_stages
from src.sweeping.plan import Job

# Of many runs there are many files: libyaml reads them ten times faster than Python
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Estimate:
    """The number of missing runs, and the seconds that those of known kinds will take."""

    there: int
    """Finished runs."""
    timed: int
    """Missing runs of kinds that have run here before."""
    untimed: int
    """Missing runs of kinds that have not, or with a pre-training stage of such a kind."""
    seconds: float
    """Seconds of the timed ones, `workers` at once."""
    workers: int = 1

    def describe(self) -> str:
        """Return the estimate as a line for the terminal."""
        missing = self.timed + self.untimed
        line = f"{counted(self.there + missing, 'run')}: {self.there} there"
        if not missing:
            return f"{line}, none missing"
        line += f", {missing} missing"
        if not self.timed:
            return f"{line}, of kinds that have not run here yet"
        at_once = f", {self.workers} at once" if self.workers > 1 else ""
        line += f", which take about {duration(self.seconds)}{at_once}"
        if not self.untimed:
            return f"{line}, as such runs took before"
        rest = "1 is" if self.untimed == 1 else f"{self.untimed} are"
        line += f", as {self.timed} of them took before"
        return f"{line}; {rest} of a kind that has not run here yet"


def estimate_missing(jobs: Iterable[Job], workers: int) -> Estimate:
    """Return how many of the jobs are missing, and how long they take, `workers` at once.

    A run takes the median of what finished runs of its kind took. Nothing is guessed of a kind
    that has none: its runs are counted.
    """
    jobs = {job.key: job for job in jobs}.values()
    missing = [job for job in jobs if job.wanted]
    recorded = read_seconds({job.folder.parent for job in missing})
    work = [_list_work(job) for job in missing]
    timed = [runs for runs in work if all(name_kind(run) in recorded for run in runs.values())]
    # a stage that several jobs share runs once
    runs = {folder: options for mine in timed for folder, options in mine.items()}
    seconds = sum(median(recorded[name_kind(options)]) for options in runs.values())
    return Estimate(
        len(jobs) - len(missing), len(timed), len(work) - len(timed), seconds / workers, workers
    )


def read_seconds(folders: Iterable[Path]) -> dict[str, list[float]]:
    """Return the seconds of training of each finished run in these folders of jobs, by kind."""
    seconds = defaultdict(list)
    for folder in folders:
        for file in sorted(folder.glob("*/config.yaml")):
            metrics = read_finished(file.parent)
            if metrics is not None:
                options = yaml.load(file.read_text(), LOADER)
                trained = metrics["fit/seconds"] + metrics.get("refit/seconds", 0.0)
                seconds[name_kind(options)].append(trained)
    return dict(seconds)


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
        cfg.model.pretrained[name] = str(folder)
    return {**work, job.folder: plain(cfg)}


def _find_folder(options: Plain, job: Job) -> Path:
    """Return the folder beside the job's that a run with these options has."""
    same = options["data"] == job.options["data"]
    fingerprint = job.fingerprint if same else read_fingerprint(options)
    return job.folder.parent / make_key(options, fingerprint)

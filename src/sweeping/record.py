"""A sweep's own record: its parent run, and a folder with its table and its report."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from src.config.compose import command_line
from src.errors import UserError
from src.reporting.palette import distinct_color
from src.reporting.wording import duration
from src.run.code_identity import code_version
from src.run.provenance import git_commit, read_provenance
from src.run.recovery import recover
from src.run.run_views import view_sweep
from src.sweeping.jobs import name_run, record
from src.sweeping.jobs_table import STATUSES, as_markdown, make_table, print_summary
from src.sweeping.plan import Job
from src.tracking import open_tracker
from src.tracking.notes import NOTE, link_files
from src.tracking.reading import CURRENT, Reader, list_current
from src.tracking.tracker import COLOR, PARENT

JOBS, REPORT = "jobs.csv", "report.html"
PAGES = {REPORT: "report", JOBS: "table of the jobs"}

log = logging.getLogger(__name__)


class SweepRecord:
    """The record of a sweep, open from before its first job until it ends, however it ends."""

    def __init__(self, name: str, jobs: Sequence[Job]) -> None:
        """Find the sweep's parent run or make it. Raises UserError if the store can't be used."""
        self.name, self.jobs = name, jobs
        self.errors: dict[str, Exception] = {}
        """The errors of failed jobs, by key."""
        first = jobs[0].options
        # a tree needs its runs in one experiment
        experiments = {job.options["tracking"].get("experiment"): None for job in jobs}
        self.tracking: dict[str, Any] = dict(first["tracking"])
        self.for_jobs: dict[str, str] = {}
        """Options that tell the jobs which run is their parent."""
        if "experiment" in self.tracking:
            self.tracking |= {"experiment": "+".join(map(str, experiments)), "run_name": name}
            self.for_jobs["tracking.experiment"] = self.tracking["experiment"]
        self.folder = Path(first["sweep"]["folder"]) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {
            "sweep": name,
            "kind": "sweep",
            "data": first["data"]["name"],
            "git_commit": git_commit(),
            "code_version": code_version(),
            "output_folder": str(self.folder),
            CURRENT: list_current([job.key for job in jobs]),
        }
        found_by = {"sweep": name, "kind": "sweep"}
        self.tracker = open_tracker(
            self.tracking, about, self.folder, continuing=found_by, recovery=recover
        )
        if self.tracker.reference is not None:
            self.for_jobs["sweep.parent"] = self.tracker.reference

    def __enter__(self) -> Self:
        self.tracker.__enter__()
        finished = [job for job in self.jobs if not job.wanted]
        before = f", {len(finished)} finished before" if finished else ""
        print(f"sweep {self.name}: {len(self.jobs)} jobs{before}", flush=True)
        first = self.jobs[0]
        self.tracker.save_view(view_sweep(self.name, first.options, list(first.swept)))
        self._adopt(finished)
        self.left = len(self.jobs) - len(finished)
        self.done = 0
        self.started = time.perf_counter()
        return self

    def _adopt(self, finished: Sequence[Job]) -> None:
        """Record finished jobs as children if another sweep ran them, or their record is gone."""
        if self.tracker.run_id is None or not finished:
            return
        try:
            children = Reader(self.tracking["uri"]).sweep(self.tracker.run_id)
        except UserError as error:
            # the jobs don't need it, and the same command again does it
            log.warning("finished jobs are not looked for in the record: %s", error)
            return
        known = {child.tags.get("job") for child in children if child.status == "FINISHED"}
        for job in finished:
            if job.key not in known:
                tags = read_provenance(job.folder)
                tags.pop("stage", None)
                color = distinct_color(job.place)
                mine = {"sweep": self.name, PARENT: self.tracker.run_id, COLOR: color}
                options = {**job.options, "tracking": self._child(job)}
                record(options, job.folder, {**tags, **mine})

    def _child(self, job: Job) -> dict[str, Any]:
        own = {"run_name": name_run(job.options["model"]["name"], job.swept)}
        return {**job.options["tracking"], "experiment": self.tracking["experiment"], **own}

    def starting(self, batch: Sequence[Job]) -> None:
        """Print which jobs come next, and how long the rest may take."""
        if len(batch) > 1:
            print(f"{len(batch)} jobs, several at once", flush=True)
            return
        name = name_run(batch[0].options["model"]["name"], batch[0].swept)
        words = f"job {self.done + 1} of {self.left}: {name}"
        if self.done:
            each = (time.perf_counter() - self.started) / self.done
            words += f"  (about {duration(each * (self.left - self.done))} left)"
        print(words, flush=True)

    def ended(self, batch: Sequence[Job], errors: Sequence[Exception | None]) -> None:
        """Note how jobs ended, and update the table."""
        for job, error in zip(batch, errors, strict=True):
            if error is not None:
                self.errors[job.key] = error
        self.done += len(batch)
        self._write_table()

    def _write_table(self) -> pd.DataFrame:
        table = make_table(self.jobs, self.errors)
        table.to_csv(self.folder / JOBS, index=False)
        return table

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._sum_up(interrupted=kind is not None)
        finally:
            self.tracker.__exit__(kind, error, traceback)

    def _sum_up(self, interrupted: bool) -> None:
        table = self._write_table()
        print_summary(self.name, table, self.folder / JOBS)
        counts = {f"jobs/{s}": float((table["status"] == s).sum()) for s in STATUSES}
        self.tracker.log_metrics(counts)
        if interrupted:  # and in no mood to wait for pictures
            print("the same command goes on from here")
        elif self.tracker.run_id is not None and counts["jobs/finished"]:
            # what another job had as a stage before its own turn is recorded as that alone
            done = [job for job in self.jobs if job.metrics is not None]
            self._adopt([job for job in done if "stage" in read_provenance(job.folder)])
            self._report(self.tracker.run_id)
        note = f"{link_files(self.folder, PAGES)}\n\n{as_markdown(table)}"
        self.tracker.set_tags({NOTE: note})
        self.tracker.log_files(self.folder)

    def _report(self, run_id: str) -> None:
        # pictures take long to import
        from src.reporting.comparison.comparison_page import write_report

        page = self.folder / REPORT
        try:
            reader = Reader(self.tracking["uri"])
            write_report(reader, reader.sweep(run_id), self.name, page)
        except UserError as error:
            log.warning(
                "no report: %s; %s makes it", error, command_line("report", f"sweep={self.name}")
            )
            return
        print(f"report   {page}")

    def raise_failures(self) -> None:
        """Raise the bug that a job failed with; otherwise what the first failed with, for all."""
        if not self.errors:
            return
        for error in self.errors.values():
            if not isinstance(error, UserError):
                raise error
        n, first = len(self.errors), next(iter(self.errors.values()))
        raise type(first)(
            f"{n} of {len(self.jobs)} jobs failed, the first with: {first}; "
            "the same command tries them again"
        )

"""The numbers of a table or a figure made again, row by row, beside the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import pandas as pd

from src.errors import UserError
from src.evaluation.catalogue import selected_value
from src.papers.exhibits import NO_CHANCE, Exhibit
from src.papers.noise import SeedMetric, compute_standard_error
from src.papers.published import RowKey, Scores
from src.papers.request import PaperRequest
from src.papers.sweeps import Sweep
from src.sweeping.plan import Job
from src.tracking.reading import Reader, Record

PaperMetric = Literal["hr@10", "ndcg@10"]
METRIC_LABELS: dict[PaperMetric, str] = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one row under one protocol: the same options, one for each seed."""

    wanted: int
    records: list[Record]
    """The finished runs."""
    measured: dict[PaperMetric, SeedMetric]
    """Empty when no run is finished."""
    errors: tuple[str, ...] = ()
    """The messages of runs that failed."""
    chance: bool = True
    """Whether a seed decides anything."""

    @property
    def missing(self) -> int:
        """The number of runs that are not finished."""
        return self.wanted - len(self.records)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The ids of the finished runs."""
        return tuple(record.run_id for record in self.records)


NO_RUNS = SeedRuns(0, [], {})


@dataclass(frozen=True)
class ExhibitRow:
    """One system at one setting, on one data set."""

    key: RowKey
    published: Scores | None
    runs: dict[str, SeedRuns]
    """By protocol; a protocol that asks for no such run has none."""

    def get_published(self, metric: PaperMetric) -> float | None:
        """Return the published number, if there is one."""
        return None if self.published is None else self.published.get(metric)


@dataclass(frozen=True)
class ExhibitResult:
    """An exhibit's rows on one data set."""

    exhibit: Exhibit
    data: str
    protocols: Sequence[str]
    rows: list[ExhibitRow]

    @property
    def records(self) -> list[Record]:
        """The records of all finished runs."""
        return [r for row in self.rows for runs in row.runs.values() for r in runs.records]

    def list_runs(self, protocol: str) -> list[SeedRuns]:
        """Return each row's runs under the protocol, of the rows that have any."""
        return [row.runs[protocol] for row in self.rows if protocol in row.runs]


class RecordedRuns:
    """The recorded runs of jobs."""

    def __init__(self, found: Mapping[str, tuple[Reader, Record]]) -> None:
        """Take each job's run, and what reads its files, by the job's key."""
        self._found = found
        self._users: dict[str, pd.DataFrame | None] = {}

    @classmethod
    def find(cls, jobs: Iterable[Job]) -> RecordedRuns:
        """Look where the jobs' options say that they are recorded; none need be."""
        tracking = [job.options["tracking"] for job in jobs]
        places = {(one["uri"], one["experiment"]) for one in tracking if "uri" in one}
        found: dict[str, tuple[Reader, Record]] = {}
        for uri, experiment in sorted(places):
            try:
                reader = Reader(uri)
                records = reader.experiment(experiment)
            except UserError:
                continue  # nothing was recorded there yet
            found |= {r.tags["job"]: (reader, r) for r in records if "job" in r.tags}
        return cls(found)

    def get_record(self, job: Job) -> Record | None:
        """Return the job's finished run, else its latest; None when it has no record."""
        return self._found[job.key][1] if job.key in self._found else None

    def read_table(self, record: Record, file: str) -> pd.DataFrame | None:
        """Read an artifact of the run; None if it has no such file."""
        return self._found[record.tags["job"]][0].table(record, file)

    def read_users(self, record: Record) -> pd.DataFrame | None:
        """Return the paper's metrics by test user, read once; None if the run has no such file."""
        key = record.tags["job"]
        if key not in self._users:
            table = self.read_table(record, "per_user.parquet")
            # of its many columns alone what all runs together may hold
            self._users[key] = None if table is None else table[list(METRIC_LABELS)].copy()
        return self._users[key]

    def get_users(self, record: Record) -> pd.DataFrame:
        """Return the paper's metrics by test user. Raises KeyError for a run without them."""
        users = self.read_users(record)
        if users is None:
            raise KeyError(record.name)
        return users


def collect_result(
    exhibit: Exhibit,
    data: str,
    sweeps: Sequence[Sweep],
    request: PaperRequest,
    recorded: RecordedRuns,
) -> ExhibitResult:
    """Return the exhibit's rows on `data`: the published ones in their order, then the jobs'."""
    jobs = _group_jobs(exhibit, [sweep for sweep in sweeps if sweep.data == data])
    published = exhibit.published.get(data, {})
    # rows that nothing here can make again stand in the tables of the revisits too
    all_rows = exhibit.tuned and not request.models
    keys = [key for key in published if key in jobs or all_rows]
    rows = [
        ExhibitRow(
            key,
            published.get(key),
            {
                protocol: _collect_seeds(members, recorded)
                for protocol, members in jobs.get(key, {}).items()
            },
        )
        for key in [*keys, *(key for key in jobs if key not in published)]
    ]
    return ExhibitResult(exhibit, data, request.list_protocols(exhibit), rows)


def _group_jobs(exhibit: Exhibit, sweeps: Iterable[Sweep]) -> dict[RowKey, dict[str, list[Job]]]:
    """Return the sweeps' jobs by row and protocol."""
    jobs: dict[RowKey, dict[str, list[Job]]] = {}
    for sweep in sweeps:
        for job in sweep.jobs:
            by_protocol = jobs.setdefault(exhibit.find_row(job.options), {})
            by_protocol.setdefault(sweep.protocol, []).append(job)
    return jobs


def _collect_seeds(jobs: Sequence[Job], recorded: RecordedRuns) -> SeedRuns:
    """Return the recorded runs of jobs that differ in their seed alone.

    A run whose results by user are gone can't be compared, and counts as not there.
    """
    records = [record for job in jobs if (record := recorded.get_record(job)) is not None]
    errors = [record.tags["error"] for record in records if "error" in record.tags]
    finished = [record for record in records if record.status == "FINISHED"]
    whole = [record for record in finished if recorded.read_users(record) is not None]
    errors += [f"{r.name}: its results by user are gone" for r in finished if r not in whole]
    metrics = METRIC_LABELS if whole else ()
    return SeedRuns(
        len(jobs),
        whole,
        {metric: _measure(whole, metric, recorded) for metric in metrics},
        tuple(dict.fromkeys(errors)),
        chance=any(job.options["model"]["name"] not in NO_CHANCE for job in jobs),
    )


def _measure(records: Sequence[Record], metric: PaperMetric, recorded: RecordedRuns) -> SeedMetric:
    """Return the metric of these runs on test."""
    errors = [
        compute_standard_error(recorded.get_users(record)[metric].tolist()) for record in records
    ]
    return SeedMetric(tuple(get_test_metric(r, metric) for r in records), fmean(errors))


def get_test_metric(record: Record, metric: str) -> float:
    """Return the run's metric on test, of the selected epoch.

    Where test selects the epoch, the plain name is the last epoch's.
    """
    value = selected_value(record.metrics, f"test/{metric}")
    return float("nan") if value is None else value

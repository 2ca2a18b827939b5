"""What the runs of a table or a figure came to, row by row, beside what was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import pandas as pd

from src.errors import UserError
from src.papers.exhibits import Thing
from src.papers.noise import Measured, standard_error
from src.papers.published import Key, Scores
from src.papers.sweeps import Request, Sweep
from src.sweeping.plan import Job
from src.tracking.reading import Reader, Record

Metric = Literal["hr@10", "ndcg@10"]
METRICS: dict[Metric, str] = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}


@dataclass(frozen=True)
class Cell:
    """The runs of one row under one protocol: the same options, one for each seed."""

    wanted: int
    records: list[Record]
    """Of those that are finished."""
    measured: dict[Metric, Measured]
    """Empty when none is."""
    errors: tuple[str, ...] = ()
    """What those that failed said."""


@dataclass(frozen=True)
class Row:
    """One system at one setting, on one data set."""

    key: Key
    published: Scores | None
    cells: dict[str, Cell]
    """By protocol; a protocol that asks for no such run has none."""

    def published_of(self, metric: Metric) -> float | None:
        """The published number, if there is one."""
        return None if self.published is None else self.published.of(metric)


@dataclass(frozen=True)
class Block:
    """A thing's rows on one data set."""

    thing: Thing
    data: str
    protocols: Sequence[str]
    rows: list[Row]

    @property
    def records(self) -> list[Record]:
        """Of all runs that are finished."""
        cells = (cell for row in self.rows for cell in row.cells.values())
        return [record for cell in cells for record in cell.records]

    @property
    def missing(self) -> int:
        """How many runs are not finished."""
        cells = (cell for row in self.rows for cell in row.cells.values())
        return sum(cell.wanted - len(cell.records) for cell in cells)


class Store:
    """The recorded runs of jobs."""

    def __init__(self, found: Mapping[str, tuple[Reader, Record]]) -> None:
        """`found`: by key, a job's run and what reads its files."""
        self.found = found

    @classmethod
    def of(cls, jobs: Iterable[Job]) -> Store:
        """Looks where the jobs' options say that they are recorded; none need be."""
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

    def record_of(self, job: Job) -> Record | None:
        """The job's finished run, else its latest; None when it has no record."""
        return self.found[job.key][1] if job.key in self.found else None

    def table(self, record: Record, file: str) -> pd.DataFrame | None:
        """An artifact of the run."""
        return self.found[record.tags["job"]][0].table(record, file)


def block_of(
    thing: Thing, data: str, sweeps: Sequence[Sweep], request: Request, store: Store
) -> Block:
    """The thing's rows on `data`, in the order of its published ones and then of its jobs."""
    jobs: dict[Key, dict[str, list[Job]]] = {}
    for sweep in sweeps:
        if sweep.data == data:
            for job in sweep.jobs:
                by_protocol = jobs.setdefault(thing.key_of(job.options), {})
                by_protocol.setdefault(sweep.protocol, []).append(job)
    published = thing.published.get(data, {})
    unrun = [key for key in published if thing.revisit and not request.models and key not in jobs]
    keys = [key for key in published if key in jobs or key in unrun]
    rows = [
        Row(
            key,
            published.get(key),
            {protocol: _cell(members, store) for protocol, members in jobs.get(key, {}).items()},
        )
        for key in [*keys, *(key for key in jobs if key not in published)]
    ]
    return Block(thing, data, request.protocols_of(thing), rows)


def _cell(jobs: Sequence[Job], store: Store) -> Cell:
    records = [record for job in jobs if (record := store.record_of(job)) is not None]
    finished = [record for record in records if record.status == "FINISHED"]
    errors = [record.tags["error"] for record in records if "error" in record.tags]
    measured = {metric: _measured(finished, metric, store) for metric in METRICS}
    return Cell(
        len(jobs),
        finished,
        {metric: value for metric, value in measured.items() if value is not None},
        tuple(dict.fromkeys(errors)),
    )


def _measured(records: Sequence[Record], metric: Metric, store: Store) -> Measured | None:
    if not records:
        return None
    errors = [error_of(store, record, metric) for record in records]
    known = [error for error in errors if error is not None]
    values = tuple(test_metric(record, metric) for record in records)
    return Measured(values, fmean(known) if known else 0.0)


def test_metric(record: Record, metric: str) -> float:
    """On test, of the selected epoch: where test selects it, the plain name is the last epoch's."""
    name = f"test/{metric}"
    return record.metrics.get(f"best/{name}", record.metrics.get(name, float("nan")))


def error_of(store: Store, record: Record, metric: str) -> float | None:
    """Standard error of the mean over test users; None without the users' own results."""
    per_user = store.table(record, "per_user.parquet")
    return None if per_user is None else standard_error(per_user[metric].tolist())

"""Runs read back from MLflow, for comparing them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from src.errors import UserError, did_you_mean
from src.tracking.store import client_of, embedded, first_line, trouble

SHORTEST_PREFIX = 8
RUNS_PER_CALL = 1000
# As many names as a message can hold
NAMED = 10

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Record:
    """What MLflow knows of a run, but its files."""

    run_id: str
    name: str
    status: str
    """FINISHED, FAILED, KILLED or RUNNING."""
    params: dict[str, str]
    metrics: dict[str, float]
    """The last value of each, by its own name: "test/hr@10"."""
    tags: dict[str, str]
    started: int = 0
    """Milliseconds since 1970."""


class Reader:
    """The runs of one store. Every method raises UserError when the store can't be read."""

    def __init__(self, uri: str) -> None:
        """Raises UserError when there is no store at `uri`."""
        database = embedded(uri)
        if database is not None and not database.is_file():
            raise UserError(f"no runs yet: {database} is not there (tracking.uri={uri})")
        self.uri = uri
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        with self._asking():
            self._client = client_of(uri)
        # asked for now, so that a store that can't be read is told at once
        self._experiments  # noqa: B018

    def runs(self, ids: Sequence[str]) -> list[Record]:
        """Those of the ids, in their order and each once. Prefixes of 8 characters or more do.

        Raises UserError when there is no such run, or more than one.
        """
        found = (self._run(run_id) for run_id in ids)
        return list({record.run_id: record for record in found}.values())

    def sweep(self, name: str) -> list[Record]:
        """The runs that the sweep called `name`, or whose parent run has that id, stands for.

        Each job's latest run, finished ones first; none of pre-training. Raises UserError when
        there is no such sweep.
        """
        children = self._search(f"tags.`{PARENT}` = '{self.parent(name).run_id}'")
        return _comparable(children)

    def experiment(self, name: str) -> list[Record]:
        """The runs of an experiment, as `sweep` chooses them. Raises UserError without any such."""
        if name not in self._experiments:
            hint, known = did_you_mean(name, self._experiments), self.experiments()
            raise UserError(f"no experiment {name}{hint} (in {self.uri}: {_listed(known)})")
        return _comparable(self._search("", [self._experiments[name]]))

    def parent(self, name: str) -> Record:
        """The sweep's own run, by name or id; the latest where several have the name.

        Raises UserError when there is none.
        """
        parents = self.sweeps()
        for parent in parents:
            if name in (parent.name, parent.run_id):
                return parent
        names = list(dict.fromkeys(parent.name for parent in parents))
        raise UserError(
            f"no sweep {name}{did_you_mean(name, names)} (in {self.uri}: {_listed(names)})"
        )

    def sweeps(self) -> list[Record]:
        """The parent runs of all sweeps and tunings, latest first."""
        return self._search("tags.kind != ''")

    def experiments(self) -> list[str]:
        """The names of all experiments with runs that can be compared."""
        return [name for name, key in self._experiments.items() if self._search("", [key], 1)]

    def table(self, record: Record, file: str) -> pd.DataFrame | None:
        """An artifact .csv or .parquet of the run, such as "per_user.parquet"; None if absent."""
        folder = str(PurePosixPath(file).parent)
        with self._asking():
            files = self._client.list_artifacts(record.run_id, None if folder == "." else folder)
            if file not in {known.path for known in files}:
                return None
            with TemporaryDirectory() as scratch:
                path = Path(self._client.download_artifacts(record.run_id, file, scratch))
                return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)

    @cached_property
    def _experiments(self) -> dict[str, str]:
        """Ids by name."""
        with self._asking():
            return {known.name: known.experiment_id for known in self._client.search_experiments()}

    def _run(self, run_id: str) -> Record:
        if len(run_id) < SHORTEST_PREFIX:
            raise UserError(f"runs={run_id}: at least {SHORTEST_PREFIX} characters of a run's id")
        # the filter's own language has no way to quote a quotation mark
        searched = self._search(f"attributes.run_id LIKE '{run_id}%'") if run_id.isalnum() else []
        found = [record for record in searched if record.run_id.startswith(run_id)]
        if len(found) != 1:
            several = ", ".join(record.run_id for record in found)
            problem = f"{run_id} is the beginning of {several}" if found else f"no run {run_id}"
            raise UserError(f"{problem} in {self.uri}; make dashboard lists the runs")
        return found[0]

    def _search(
        self, wanted: str, experiments: Iterable[str] | None = None, most: int | None = None
    ) -> list[Record]:
        """Records of the runs that match, in the given experiments or all, latest first."""
        keys = list(self._experiments.values() if experiments is None else experiments)
        found: list[Record] = []
        token = None
        with self._asking():
            while True:
                page = self._client.search_runs(
                    keys, wanted, max_results=most or RUNS_PER_CALL, page_token=token
                )
                found += map(_record, page)
                token = page.token
                if not token or most:
                    return sorted(found, key=lambda record: record.started, reverse=True)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except trouble() as error:
            raise UserError(
                f"tracking.uri={self.uri} can't be read: {first_line(error)}"
            ) from error


def _comparable(found: Iterable[Record]) -> list[Record]:
    """Without pre-training stages and sweeps' own runs, each job once; latest first.

    A job that ran twice is represented by its latest finished run, else by its latest.
    """
    kept: dict[str, Record] = {}
    for record in found:
        if "stage" in record.tags or "kind" in record.tags:
            continue
        job = record.tags.get("job", record.run_id)
        if job not in kept or (kept[job].status != "FINISHED" and record.status == "FINISHED"):
            kept[job] = record
    return sorted(kept.values(), key=lambda record: record.started, reverse=True)


def _record(run: Any) -> Record:
    """Of MLflow's own `Run`."""
    return Record(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        params=dict(run.data.params),
        metrics=_named(run.data.metrics),
        tags=dict(run.data.tags),
        started=run.info.start_time,
    )


def _named(metrics: Mapping[str, float]) -> dict[str, float]:
    """With the @ that MLflow allows in no name."""
    return {name.replace("_at_", "@"): value for name, value in metrics.items()}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more

"""Reading runs back from MLflow, to compare them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from src.errors import UserError, did_you_mean
from src.tracking.store import check_server, embedded, first_line, open_client, store_errors
from src.tracking.tracker import PARENT
from src.tracking.views import ALL_RUNS, TAG

SHORTEST_PREFIX = 8
RUNS_PER_CALL = 1000
# As many names as a message can hold
NAMED = 10

CURRENT = "current_jobs"
"""The tag of a sweep's own run that lists its jobs, each by the first characters of its key."""
KEY_PREFIX = 8
# A tag holds 5000 characters
MOST_CURRENT = 500


@dataclass(frozen=True)
class Record:
    """The facts that MLflow has about a run, without its files."""

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
    experiment: str = ""
    """Its experiment's id."""
    artifacts: str = ""
    """Where the store keeps its files, an address."""


class Reader:
    """The runs of one store. Every method raises UserError when the store can't be read."""

    def __init__(self, uri: str) -> None:
        """Open the store at `uri`. Raises UserError when there is none."""
        database = embedded(uri)
        if database is not None and not database.is_file():
            raise UserError(f"no runs yet: {database} is not there (tracking.uri={uri})")
        self.uri = uri
        with self._raise_user_errors():
            check_server(uri)
            self._client = open_client(uri)
        # asked for now, so that a store that can't be read is told at once
        self._experiment_ids  # noqa: B018

    def runs(self, ids: Sequence[str]) -> list[Record]:
        """Return the runs with these ids, or prefixes of 8 characters or more, in order, each once.

        Raises UserError when there is no such run, or more than one.
        """
        found = (self._find_run(run_id) for run_id in ids)
        return list({record.run_id: record for record in found}.values())

    def sweep(self, name: str) -> list[Record]:
        """Return the runs of the sweep that is called `name`, or whose parent run has that id.

        These are each job's latest finished run, or else its latest, without pre-training and
        without jobs that other code or data have outdated. Raises UserError when there is no such
        sweep.
        """
        parent = self.parent(name)
        children = self._search_runs(f"tags.`{PARENT}` = '{parent.run_id}'")
        return _select_comparable(_drop_outdated(children, parent.tags.get(CURRENT, "").split()))

    def experiment(self, name: str) -> list[Record]:
        """Return an experiment's runs, chosen as by `sweep`. Raises UserError if it is unknown."""
        if name not in self._experiment_ids:
            hint, known = did_you_mean(name, self._experiment_ids), self.experiments()
            raise UserError(f"no experiment {name}{hint} (in {self.uri}: {_list_names(known)})")
        return _select_comparable(self._search_runs("", [self._experiment_ids[name]]))

    def parent(self, name: str) -> Record:
        """Return the sweep's own run, by name or id; the latest where several have the name.

        Raises UserError when there is none.
        """
        parents = self.sweeps()
        for parent in parents:
            if name in (parent.name, parent.run_id):
                return parent
        names = list(dict.fromkeys(parent.name for parent in parents))
        raise UserError(
            f"no sweep {name}{did_you_mean(name, names)} (in {self.uri}: {_list_names(names)})"
        )

    def sweeps(self) -> list[Record]:
        """Return the parent runs of all sweeps and tunings, latest first."""
        return self._search_runs("tags.kind != ''")

    def experiments(self) -> list[str]:
        """List the names of all experiments with runs that can be compared."""
        return [
            name for name, key in self._experiment_ids.items() if self._search_runs("", [key], 1)
        ]

    def every(self) -> list[Record]:
        """Return all runs there are, those of sweeps themselves too, latest first."""
        return self._search_runs("")

    def delete(self, record: Record) -> None:
        """Mark the run as deleted, which `mlflow gc` then forgets for good."""
        with self._raise_user_errors():
            self._client.delete_run(record.run_id)

    def find(self, reference: str) -> Record | None:
        """Return the run whose id begins so, with 8 characters or more; None where there is none.

        Raises UserError when there are several.
        """
        # the filter's own language has no way to quote a quotation mark
        if len(reference) < SHORTEST_PREFIX or not reference.isalnum():
            return None
        searched = self._search_runs(f"attributes.run_id LIKE '{reference}%'")
        found = [record for record in searched if record.run_id.startswith(reference)]
        if len(found) > 1:
            several = ", ".join(record.run_id for record in found)
            raise UserError(f"{reference} is the beginning of {several} in {self.uri}")
        return found[0] if found else None

    def latest_view(self) -> tuple[str, str | None] | None:
        """Return an experiment's id and the key of one of its views; None where there are no runs.

        That is the latest sweep's or search's view, else the one of all runs beside the latest, or
        no view where those runs saved none.
        """
        sweeps, runs = self._search_runs("tags.kind != ''", most=1), self._search_runs("", most=1)
        known = [*((run, run.run_id) for run in sweeps), *((run, ALL_RUNS) for run in runs)]
        for record, key in known:
            with self._raise_user_errors():
                tags = self._client.get_experiment(record.experiment).tags
            if f"{TAG}{key}" in tags:
                return record.experiment, key
        return (runs[0].experiment, None) if runs else None

    def that_wrote_to(self, folder: Path) -> Record | None:
        """Return the latest run whose output folder that is; None where there is none."""
        found = self._search_runs(f'tags.output_folder = "{folder.absolute()}"', most=1)
        return found[0] if found else None

    def table(self, record: Record, file: str) -> pd.DataFrame | None:
        """Read a .csv or .parquet artifact of the run, as "per_user.parquet"; None if absent."""
        folder = str(PurePosixPath(file).parent)
        with self._raise_user_errors():
            files = self._client.list_artifacts(record.run_id, None if folder == "." else folder)
            if file not in {known.path for known in files}:
                return None
            with TemporaryDirectory() as scratch:
                path = Path(self._client.download_artifacts(record.run_id, file, scratch))
                return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)

    @cached_property
    def _experiment_ids(self) -> dict[str, str]:
        """The ids of all experiments, by name."""
        with self._raise_user_errors():
            return {known.name: known.experiment_id for known in self._client.search_experiments()}

    def _find_run(self, run_id: str) -> Record:
        if len(run_id) < SHORTEST_PREFIX:
            raise UserError(f"runs={run_id}: at least {SHORTEST_PREFIX} characters of a run's id")
        found = self.find(run_id)
        if found is None:
            raise UserError(f"no run {run_id} in {self.uri}; make dashboard lists the runs")
        return found

    def _search_runs(
        self, wanted: str, experiments: Iterable[str] | None = None, most: int | None = None
    ) -> list[Record]:
        """Return the runs that match, in the given experiments or in all, latest first."""
        keys = list(self._experiment_ids.values() if experiments is None else experiments)
        found: list[Record] = []
        token = None
        with self._raise_user_errors():
            while True:
                page = self._client.search_runs(
                    keys, wanted, max_results=most or RUNS_PER_CALL, page_token=token
                )
                found += map(_make_record, page)
                token = page.token
                if not token or most:
                    return sorted(found, key=lambda record: record.started, reverse=True)

    @contextmanager
    def _raise_user_errors(self) -> Iterator[None]:
        try:
            yield
        except store_errors() as error:
            raise UserError(
                f"tracking.uri={self.uri} can't be read: {first_line(error)}"
            ) from error


def find_run_folder(reference: str, uri: str) -> Path | None:
    """Return the output folder of the run whose id begins so; None when the store has none.

    Raises UserError when the run is known but its folder is gone.
    """
    database = embedded(uri)
    if database is not None and not database.exists():
        return None
    record = Reader(uri).find(reference)
    if record is None:
        return None
    folder = Path(record.tags.get("output_folder", ""))
    if not folder.is_dir():
        raise UserError(f"MLflow run {record.run_id} wrote to {folder}, which is gone")
    return folder


def _select_comparable(found: Iterable[Record]) -> list[Record]:
    """Select runs without pre-training stages and sweeps' own runs, each job once; latest first.

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


def list_current(keys: Sequence[str]) -> str:
    """Return the value of the tag `CURRENT` for jobs with these keys; nothing for too many."""
    return " ".join(key[:KEY_PREFIX] for key in keys) if len(keys) <= MOST_CURRENT else ""


def _drop_outdated(children: Sequence[Record], current: Sequence[str]) -> list[Record]:
    """Drop jobs of the same words as one of the `current`, but of other code or data."""

    def is_current(record: Record) -> bool:
        return record.tags.get("job", "")[:KEY_PREFIX] in current

    renewed = {record.tags.get("overrides") for record in children if is_current(record)} - {None}
    return [
        record
        for record in children
        if is_current(record) or record.tags.get("overrides") not in renewed
    ]


def _make_record(run: Any) -> Record:
    """Make a record of MLflow's own `Run`."""
    return Record(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        params=dict(run.data.params),
        metrics=_restore_names(run.data.metrics),
        tags=dict(run.data.tags),
        started=run.info.start_time,
        experiment=run.info.experiment_id,
        artifacts=run.info.artifact_uri or "",
    )


def _restore_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Restore the @ in the names of metrics, which MLflow does not allow."""
    return {name.replace("_at_", "@"): value for name, value in metrics.items()}


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more

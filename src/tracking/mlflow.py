"""Write runs to MLflow."""

from __future__ import annotations

import logging
import sqlite3
import time
from argparse import Namespace
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from pytorch_lightning.loggers import Logger

from src.errors import UserError
from src.tracking.store import embedded, first_line, open_client, store_errors
from src.tracking.tracker import Tracker, flatten
from src.tracking.views import TAG, View, encode_view

if TYPE_CHECKING:
    from src.tracking.background import BackgroundTracker

# MLflow's own limits (mlflow.utils.validation)
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 5000
PARAMS_PER_CALL = 100

log = logging.getLogger(__name__)


class MLflowTracker(Tracker):
    """One MLflow run."""

    def __init__(
        self,
        uri: str,
        experiment: str,
        run_name: str,
        artifacts: str | None = None,
        tags: Mapping[str, Any] | None = None,
        continuing: Mapping[str, str] | None = None,
        started: float | None = None,
    ) -> None:
        """Open the store, creating database and experiment if need be, and start a run.

        `artifacts`: folder for the files of an embedded database's runs. `continuing`: tags of a
        run of this experiment that goes on instead, if there is one. `started`: when the run did,
        in seconds since 1970; by default now. Raises UserError when the store can't be opened.
        """
        try:
            with _creating(uri):
                self.client = open_client(uri)
                experiment_id = _experiment(self.client, experiment, uri, artifacts)
            self.run_id = _continued(self.client, experiment_id, continuing)
            if self.run_id is None:
                at = _milliseconds(started or time.time())
                made = self.client.create_run(experiment_id, start_time=at, run_name=run_name)
                self.run_id = made.info.run_id
        except store_errors() as error:
            raise _unusable(uri, error) from error
        self.uri, self.experiment_name, self.experiment_id = uri, experiment, experiment_id
        self.incomplete = False
        self.set_tags(tags or {})

    @property
    def location(self) -> str:
        run = f"MLflow run {self.run_id} in experiment {self.experiment_name} of {self.uri}"
        return f"{run}; make dashboard shows it"

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log nested params flattened; whatever exceeds MLflow's limit is whole in config.yaml.

        How a run is recorded is none of them: comparisons would be full of it.
        """
        from mlflow.entities import Param

        listed = [
            Param(key, _shorten(str(value), MAX_PARAM_LENGTH))
            for key, value in flatten(params).items()
            if not key.startswith(("tracking.", "sweep."))
        ]
        for first in range(0, len(listed), PARAMS_PER_CALL):
            with self._forgiving():
                self.client.log_batch(self.run_id, params=listed[first : first + PARAMS_PER_CALL])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        listed = [RunTag(key, value) for key, value in _strings(tags).items()]
        with self._forgiving():
            self.client.log_batch(self.run_id, tags=listed)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log all metrics of a step as one batch; MLflow allows no @: hr@10 is hr_at_10."""
        from mlflow.entities import Metric

        now = _milliseconds(time.time())
        listed = [Metric(_allowed(name), value, now, step) for name, value in metrics.items()]
        with self._forgiving():
            self.client.log_batch(self.run_id, metrics=listed)

    def log_missing(self, epochs: Sequence[Mapping[str, float]]) -> None:
        if not epochs:
            return
        # what is logged of an epoch is logged at once: any of its metrics tells
        name = _allowed(next(name for name in epochs[0] if name != "epoch"))
        with self._forgiving():
            known = {point.step for point in self.client.get_metric_history(self.run_id, name)}
            for epoch in epochs:
                step = int(epoch["epoch"])
                if step not in known:
                    self.log_metrics({k: v for k, v in epoch.items() if k != "epoch"}, step)

    def log_files(self, folder: Path, leave_out: Container[str] = ()) -> None:
        """Copy the folder's files to the run's artifacts, but not those of runs within it.

        Nor what it names that is to be left out.
        """
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or (path / "config.yaml").exists():
                continue
            if path.name in leave_out:
                continue
            with self._forgiving():
                if path.is_dir():
                    self.client.log_artifacts(self.run_id, str(path), path.name)
                else:
                    self.client.log_artifact(self.run_id, str(path))

    def save_view(self, view: View) -> None:
        """Add a view to those of the experiment, in place of this run's earlier one."""
        with self._forgiving():
            tag = f"{TAG}{self.run_id}"
            self.client.set_experiment_tag(self.experiment_id, tag, encode_view(view))

    def finish(self, status: str) -> None:
        self.set_tags({"status": status})
        with self._forgiving():
            self.client.set_terminated(self.run_id, status)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Let a store that fails once the run is under way cost the record, not the run."""
        try:
            yield
        except store_errors() as error:
            if not self.incomplete:
                log.warning(
                    "%s: the record in %s is incomplete; the output folder has everything",
                    first_line(error),
                    self.uri,
                )
            self.incomplete = True


class MLflowLogger(Logger):
    """Passes what Lightning logs on to a run, with the epoch as step."""

    def __init__(self, tracker: MLflowTracker | BackgroundTracker) -> None:
        super().__init__()
        self.tracker = tracker

    @property
    def name(self) -> str:
        return self.tracker.experiment_name

    @property
    def version(self) -> str | None:
        return self.tracker.run_id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        values = dict(metrics)
        epoch = values.pop("epoch", step or 0)
        self.tracker.log_metrics(values, int(epoch))

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Leave params alone: they are logged once, from the whole configuration."""


def find_run_folder(run_id: str, uri: str) -> Path | None:
    """Return the output folder of a run, from its tag; None when the store has no such run.

    Raises UserError when the run is known but its folder is gone.
    """
    database = embedded(uri)
    if database is not None and not database.exists():
        return None
    client = open_client(uri)
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException:
        return None
    folder = Path(run.data.tags.get("output_folder", ""))
    if not folder.is_dir():
        raise UserError(f"MLflow run {run_id} wrote to {folder}, which is gone")
    return folder


def log_file(file: Path, folder: Path, uri: str, experiment: str) -> str | None:
    """Add `file` to the artifacts of the run that wrote to `folder`, and return that run's id.

    None when the experiment has no such run. Raises UserError when the store can't be used.
    """
    database = embedded(uri)
    if database is not None and not database.exists():
        return None
    try:
        client = open_client(uri)
        known = client.get_experiment_by_name(experiment)
        if known is None:
            return None
        wrote_there = f'tags.output_folder = "{folder.absolute()}"'
        runs = client.search_runs([known.experiment_id], wrote_there)
        if not runs:
            return None
        client.log_artifact(runs[0].info.run_id, str(file))
    except store_errors() as error:
        raise UserError(
            f"{uri} can't be used: {first_line(error)}; {file} is not in the run's record"
        ) from error
    return runs[0].info.run_id


def _experiment(client: Any, name: str, uri: str, artifacts: str | None) -> str:
    """Return the experiment's id; it is made if it is not there, revived if it was deleted."""
    known = client.get_experiment_by_name(name)
    if known is None:
        location = Path(artifacts).resolve().as_uri() if artifacts and embedded(uri) else None
        # the tag makes the dashboard open on runs and metrics, not on traces of language models
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return client.create_experiment(name, artifact_location=location, tags=tags)
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return known.experiment_id


def _continued(client: Any, experiment_id: str, tags: Mapping[str, str] | None) -> str | None:
    """Return the id of the experiment's latest run with these tags, set back to running."""
    if tags is None:
        return None
    wanted = " and ".join(f'tags.`{name}` = "{value}"' for name, value in tags.items())
    runs = client.search_runs([experiment_id], wanted, max_results=1)
    if not runs:
        return None
    run = runs[0]
    client.update_run(run.info.run_id, status="RUNNING")
    if "error" in run.data.tags:
        client.delete_tag(run.info.run_id, "error")
    return run.info.run_id


def prepare_database(uri: str) -> None:
    """Make an embedded database's file where there is none. Raises UserError if it can't be used.

    Without MLflow, which takes long to import; of other stores nothing is known so soon.
    """
    try:
        with _creating(uri):
            pass
    except (sqlite3.Error, OSError) as error:
        raise _unusable(uri, error) from error


def _unusable(uri: str, error: Exception) -> UserError:
    return UserError(
        f"tracking.uri={uri} can't be used: {first_line(error)}; give another, or tracking=none"
    )


@contextmanager
def _creating(uri: str) -> Iterator[None]:
    """Hold a lock while database and experiment are made: two processes at once corrupt them."""
    database = embedded(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_name(f".{database.name}.lock")):
        # opened here first: MLflow would try for minutes to open a file that can't be opened
        with closing(sqlite3.connect(database)) as connection:
            # readers and the one writer then don't wait for each other
            connection.execute("PRAGMA journal_mode=WAL")
        yield


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _strings(tags: Mapping[str, Any]) -> dict[str, str]:
    return {key: _shorten(str(value), MAX_TAG_LENGTH) for key, value in tags.items()}


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _allowed(metric: str) -> str:
    return metric.replace("@", "_at_")

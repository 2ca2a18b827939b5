"""Write runs to MLflow."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from pydantic.dataclasses import dataclass
from pytorch_lightning.loggers import Logger

from src.config.durable import flush_files, share
from src.errors import UserError
from src.tracking.database import creating
from src.tracking.notes import address_run
from src.tracking.store import (
    check_server,
    embedded,
    first_line,
    is_refusal,
    open_client,
    store_errors,
)
from src.tracking.tracker import Tracker, flatten
from src.tracking.views import TAG, View, encode_view

if TYPE_CHECKING:
    from src.tracking.background import BackgroundTracker

# MLflow's own limits (mlflow.utils.validation)
MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 5000
PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000

CHECKPOINTS = "checkpoints"
"""The folder, within a run's own, of files that are replaced whole."""


@dataclass(frozen=True)
class MLflowOptions:
    """Where a run is recorded; explained in conf/tracking/mlflow.yaml."""

    uri: str
    experiment: str
    run_name: str
    artifacts: str | None = None
    """The folder for the files of an embedded database's runs."""
    required: bool = True
    """Whether a store that can't be used at the start ends the run."""


class MLflowTracker(Tracker):
    """One MLflow run. Every method raises one of `store_errors` when the store fails.

    Each takes the time of what it is told, in milliseconds since 1970: a point that is sent twice,
    because the answer to the first time was lost, has one time, and MLflow keeps it once.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        run_name: str,
        artifacts: str | None = None,
        tags: Mapping[str, Any] | None = None,
        started: int | None = None,
        run_id: str | None = None,
        found_by: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Open the store, creating database and experiment if need be, and find or start a run.

        `artifacts`: folder for the files of an embedded database's runs. `started`: when the run
        did, in milliseconds; by default now. `run_id`: the run itself; or else `found_by`: tags of
        it, the first that finds one; without, or where none is there, a run is made with `tags`.
        """
        self.uri, self.experiment_name = uri, experiment
        with creating(uri):
            self.client = open_client(uri)
            self.experiment_id = _experiment(self.client, experiment, uri, artifacts)
        self.adopted = False
        """Whether the run was there before, and not made for this record."""
        self.deleted = False
        """Whether somebody has deleted the run in MLflow."""
        self.run_id = self._find(run_id, found_by)
        if self.run_id is None:
            at = started if started is not None else _now()
            made = self.client.create_run(
                self.experiment_id, start_time=at, tags=_strings(tags or {}), run_name=run_name
            )
            self.run_id = made.info.run_id

    def _find(self, run_id: str | None, found_by: Sequence[Mapping[str, str]]) -> str | None:
        """Return the id of the run itself, or of the latest with tags that tell it."""
        if run_id is not None:
            from mlflow.exceptions import MlflowException

            try:
                run = self.client.get_run(run_id)
            except MlflowException as error:
                if not is_refusal(error):
                    raise
                return None  # the store lost it
            self.deleted = run.info.lifecycle_stage == "deleted"
            return run_id
        for tags in found_by:
            found = self.find(tags)
            if found:
                self.adopted = "record" not in tags
                return found[0]
        return None

    def find(self, tags: Mapping[str, str]) -> list[str]:
        """Return the ids of the experiment's runs that have these tags, latest first."""
        wanted = " and ".join(f'tags.`{name}` = "{value}"' for name, value in tags.items())
        return [run.info.run_id for run in self.client.search_runs([self.experiment_id], wanted)]

    @property
    def location(self) -> str:
        run = f"MLflow run {self.run_id} in experiment {self.experiment_name} of {self.uri}"
        if self.uri.startswith("http"):
            return f"{run}: {self.uri}/{address_run(self.experiment_id, str(self.run_id))}"
        return f"{run}; make dashboard shows it"

    def resume(self) -> None:
        """Set a run that ended back to running."""
        self.client.update_run(self.run_id, status="RUNNING")
        if "error" in self.client.get_run(self.run_id).data.tags:
            self.client.delete_tag(self.run_id, "error")

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
        for some in _chunks(listed, PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=some)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        from mlflow.entities import RunTag

        listed = [RunTag(key, value) for key, value in _strings(tags).items()]
        for some in _chunks(listed, TAGS_PER_CALL):
            self.client.log_batch(self.run_id, tags=some)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.log_points([(name, value, _now(), step) for name, value in metrics.items()])

    def log_points(self, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Log values of metrics, each with its time and step.

        MLflow allows no @: hr@10 is hr_at_10.
        """
        from mlflow.entities import Metric

        listed = [Metric(_allowed(name), value, at, step) for name, value, at, step in points]
        for some in _chunks(listed, METRICS_PER_CALL):
            self.client.log_batch(self.run_id, metrics=some)

    def read_steps(self, metric: str) -> set[int]:
        """Return the steps that have a value of the metric."""
        points = self.client.get_metric_history(self.run_id, _allowed(metric))
        return {point.step for point in points}

    @cached_property
    def artifacts(self) -> Path | None:  # type: ignore[override]
        """The folder of the run's artifacts, where they are files of this machine."""
        place = urlparse(self.client.get_run(self.run_id).info.artifact_uri)
        return Path(url2pathname(place.path)) if place.scheme in ("", "file") else None

    def flush_files(self) -> None:
        """Return when the disk has the run's artifacts, where they are files of this machine."""
        if self.artifacts is not None and self.artifacts.is_dir():
            flush_files(self.artifacts)

    def log_file(self, file: Path, folder: str | None = None) -> None:
        """Add a file to the run's artifacts, there to a folder.

        A checkpoint is kept once: what comes after it takes its place in the run's folder and never
        writes into it, so that an artifact may be the same file. Where artifacts lie elsewhere, or
        on another disk, it is copied like all others.
        """
        if folder == CHECKPOINTS and self.artifacts is not None:
            place = self.artifacts / folder / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            share(file, place)
        else:
            self.client.log_artifact(self.run_id, str(file), folder)

    def save_view(self, view: View) -> None:
        """Add a view to those of the experiment, in place of an earlier one of its key."""
        tag = f"{TAG}{view.key or self.run_id}"
        from mlflow.exceptions import MlflowException

        try:
            self.client.set_experiment_tag(self.experiment_id, tag, encode_view(view))
        except MlflowException:
            # of several runs that are an experiment's first, another may just have saved it
            if tag not in self.client.get_experiment(self.experiment_id).tags:
                raise

    def finish(self, status: str, at: int | None = None) -> None:
        self.set_tags({"status": status})
        self.client.set_terminated(self.run_id, status, at)


class MLflowLogger(Logger):
    """Passes what Lightning logs on to a run, with the epoch as step."""

    def __init__(self, tracker: BackgroundTracker) -> None:
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
        self.tracker.log_epoch(values, int(epoch))

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Leave params alone: they are logged once, from the whole configuration."""


def log_file(file: Path, folder: Path, uri: str, experiment: str) -> str | None:
    """Add `file` to the artifacts of the run that wrote to `folder`, and return that run's id.

    None when the experiment has no such run. Raises UserError when the store can't be used.
    """
    database = embedded(uri)
    if database is not None and not database.exists():
        return None
    try:
        check_server(uri)
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


def unusable(uri: str, error: Exception) -> UserError:
    """Return the error of a store that can't be used."""
    return UserError(
        f"tracking.uri={uri} can't be used: {first_line(error)}; give another, or tracking=none"
    )


def _now() -> int:
    return int(time.time() * 1000)


def _chunks(listed: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    """Cut a list into pieces that MLflow takes at once."""
    for first in range(0, len(listed), most):
        yield listed[first : first + most]


def _strings(tags: Mapping[str, Any]) -> dict[str, str]:
    return {key: _shorten(str(value), MAX_TAG_LENGTH) for key, value in tags.items()}


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _allowed(metric: str) -> str:
    return metric.replace("@", "_at_")

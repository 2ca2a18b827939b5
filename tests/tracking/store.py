"""An MLflow store with runs made by hand, as sweeps leave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient


class Store:
    """A new database in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.client = MlflowClient(self.uri)
        self.experiments: dict[str, str] = {}
        self.now = 1_700_000_000_000

    def sweep(self, name: str, experiment: str = "toy", kind: str = "sweep") -> str:
        """The id of a sweep's own run."""
        return self.run(experiment, name=name, tags={"kind": kind, "sweep": name})

    def run(
        self,
        experiment: str = "toy",
        *,
        parent: str | None = None,
        name: str = "gmf seed 0",
        status: str = "FINISHED",
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        files: Mapping[str, pd.DataFrame] | None = None,
    ) -> str:
        """The id of a run, a second later than the one before."""
        self.now += 1000
        if experiment not in self.experiments:
            place = (self.folder / "artifacts").as_uri()
            self.experiments[experiment] = self.client.create_experiment(experiment, place)
        given = {**({"mlflow.parentRunId": parent} if parent else {}), **(tags or {})}
        made = self.client.create_run(
            self.experiments[experiment], start_time=self.now, tags=given, run_name=name
        )
        run_id: str = made.info.run_id
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, self.now, 0) for key, value in (metrics or {}).items()],
            params=[Param(key, value) for key, value in (params or {}).items()],
            tags=[RunTag("status", status)],
        )
        with TemporaryDirectory() as scratch:
            for file, table in (files or {}).items():
                path = Path(scratch) / file
                path.parent.mkdir(exist_ok=True)
                if path.suffix == ".csv":
                    table.to_csv(path, index=False)
                else:
                    table.to_parquet(path, index=False)
            self.client.log_artifacts(run_id, scratch)
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id

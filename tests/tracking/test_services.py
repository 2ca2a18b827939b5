"""MLflow's server on PostgreSQL, with eight jobs that write at once."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from src.tracking.services import Services
from tests.commands import TINY, finish, start
from tests.test_sweeps import sweep_of, tree
from tests.tracking.test_mlflow import runs_of

pytestmark = pytest.mark.services


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    # PostgreSQL's own user, where root runs the tests, has to get there
    folder = Path(tempfile.mkdtemp(prefix="services-"))
    folder.chmod(0o755)
    made = Services(folder, free_port(), free_port())
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_eight_jobs_at_once(services: Services, tmp_path: Path) -> None:
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=8")
    words = ("model=gmf", "seed=range(8)", "trainer.max_epochs=3", "trainer.patience=null")
    swept = finish(start(tmp_path, "-m", *TINY, *words, *parallel, f"tracking.uri={services.uri}"))
    assert swept.status == 0, swept.err
    client = MlflowClient(services.uri)
    parent, children = tree(client, "synthetic")
    assert parent.info.status == "FINISHED"
    assert [child.info.status for child in children] == ["FINISHED"] * 8
    assert {child.data.params["seed"] for child in children} == set(map(str, range(8)))
    folders = dict(zip(sweep_of(swept)["job"], sweep_of(swept)["folder"], strict=True))
    for child in children:
        history = pd.read_csv(Path(folders[child.data.tags["job"]]) / "history.csv")
        points = client.get_metric_history(child.info.run_id, "train/loss")
        assert {p.step: p.value for p in points} == pytest.approx(
            dict(enumerate(history["train/loss"]))
        )
        assert len(points) == 3
    assert not list((tmp_path / "outputs" / "unsent").iterdir())


def test_started_again_it_has_what_it_had(services: Services) -> None:
    runs = {run.info.run_id for run in runs_of(MlflowClient(services.uri), "synthetic")}
    services.stop()
    services.start()
    assert {run.info.run_id for run in runs_of(MlflowClient(services.uri), "synthetic")} == runs


def test_only_this_machine_gets_in(services: Services) -> None:
    if os.geteuid() == 0:
        assert (services.folder / "postgres").stat().st_uid != 0
    outside = socket.gethostbyname(socket.gethostname())
    if outside.startswith("127."):
        pytest.skip("this machine has no other address")
    for port in (services.port, services.database_port):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((outside, port), timeout=2)

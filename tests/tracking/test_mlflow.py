"""What runs leave in MLflow: read back with its own client."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.config.durable import write_text
from src.errors import UserError
from src.run.disk_use import measure_folders
from src.tracking import open_tracker
from src.tracking.delivery import list_files
from src.tracking.mlflow import MLflowTracker
from src.tracking.reading import find_run_folder
from src.tracking.store import first_line
from src.tracking.views import TAG, View
from tests.commands import TINY

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


@pytest.fixture(scope="module")
def client(trained: TrainedHome) -> MlflowClient:
    return MlflowClient(trained.uri)


@pytest.fixture(scope="module")
def run(trained: TrainedHome, client: MlflowClient) -> Run:
    """The tiny run of the session."""
    return client.get_run(trained.run.run_id)


def tracker(trained: TrainedHome, experiment: str, **more: Any) -> MLflowTracker:
    artifacts = f"{trained.home}/outputs/mlartifacts"
    return MLflowTracker(
        **{
            "uri": trained.uri,
            "experiment": experiment,
            "run_name": "r",
            "artifacts": artifacts,
            **more,
        }
    )


def runs_of(client: MlflowClient, experiment: str) -> list[Run]:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time"])


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> set[str]:
    return {file.path for file in client.list_artifacts(run_id, folder)}


def test_a_run_that_ends_well(run: Run) -> None:
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "neumf candidates=20 max_epochs=2 seed 0"
    assert run.info.end_time >= run.info.start_time


def test_params_are_the_whole_configuration_flattened(run: Run) -> None:
    params = run.data.params
    assert params["model.factors"] == "8"
    assert params["model.name"] == "neumf"
    assert params["data.source.n_users"] == "200"
    assert params["data.candidates"] == "20"
    assert params["ks"] == "[1, 10]"
    assert params["trainer.max_epochs"] == "2"
    assert params["optimizer.lr"] == "0.001"
    assert not [value for value in params.values() if "${" in value]


def test_metrics_have_a_point_for_each_epoch(
    trained: TrainedHome, client: MlflowClient, run: Run
) -> None:
    history = pd.read_csv(trained.run.folder / "history.csv")
    for name in ("val/ndcg@10", "val/hr@1", "train/loss", "train/lr"):
        points = client.get_metric_history(run.info.run_id, name.replace("@", "_at_"))
        by_step = {point.step: point.value for point in points}
        expected = dict(enumerate(history[name]))
        assert by_step == pytest.approx(expected, rel=1e-6)
        assert len(points) == len(expected)


def test_the_results_are_metrics_too(trained: TrainedHome, run: Run) -> None:
    measured = pd.read_json(trained.run.folder / "metrics.json", typ="series")
    for name, value in measured.items():
        # the selected epoch's, beside the curve by epoch
        shown = f"best/{name}" if str(name).startswith("val/") else str(name)
        assert run.data.metrics[shown.replace("@", "_at_")] == pytest.approx(value)


def test_tags_say_where_it_comes_from(trained: TrainedHome, run: Run) -> None:
    tags = run.data.tags
    fingerprint = tags["data_fingerprint"]
    prepared = trained.home / "outputs" / "prepared" / f"synthetic-{fingerprint[:16]}"
    assert json.loads((prepared / "checksums.json").read_text())["fingerprint"] == fingerprint
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?|unknown", tags["git_commit"])
    assert (tags["protocol"], tags["split"]) == ("leave-one-out", "split by time")
    assert (tags["model"], tags["data"], tags["seed"]) == ("neumf", "synthetic", "0")
    assert tags["output_folder"] == str(trained.run.folder)
    assert tags["overrides"] == " ".join(TINY)
    assert "sweep" not in tags
    assert "error" not in tags


def test_artifacts_are_the_folder_s_files(client: MlflowClient, run: Run) -> None:
    assert artifacts(client, run.info.run_id) == {
        "SHA256SUMS",
        "checkpoints",
        "config.yaml",
        "curves.png",
        "groups.svg",
        "history.csv",
        "metrics.json",
        "per_user.parquet",
        "provenance.json",
        "ranks.parquet",
        "recommended.html",
        "started.json",
        "train.log",
    }
    assert artifacts(client, run.info.run_id, "checkpoints") == {
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }


def test_artifacts_lie_beside_the_database(trained: TrainedHome, run: Run) -> None:
    folder = trained.home / "outputs" / "mlartifacts" / run.info.run_id / "artifacts"
    assert (folder / "checkpoints" / "best.ckpt").is_file()
    assert run.info.artifact_uri == folder.as_uri()


def test_a_checkpoint_is_on_the_disk_once(trained: TrainedHome, run: Run) -> None:
    kept = trained.home / "outputs" / "mlartifacts" / run.info.run_id / "artifacts"
    for name in ("best.ckpt", "last.ckpt"):
        assert (kept / "checkpoints" / name).samefile(trained.run.folder / "checkpoints" / name)
    # what is written in place is copied
    assert not (kept / "history.csv").samefile(trained.run.folder / "history.csv")


def test_an_artifact_stays_when_its_checkpoint_is_replaced(
    trained: TrainedHome, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "best.ckpt"
    with tracker(trained, "replaced", artifacts=str(tmp_path / "artifacts")) as one:
        for content in ("first", "second"):
            write_text(checkpoint, content)
            one.log_file(checkpoint, "checkpoints")
        write_text(checkpoint, "third")
    assert one.artifacts is not None
    assert (one.artifacts / "checkpoints" / "best.ckpt").read_text() == "second"


def test_another_disk_gets_a_copy(
    trained: TrainedHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_text(tmp_path / "best.ckpt", "weights")
    with tracker(trained, "another-disk", artifacts=str(tmp_path / "artifacts")) as one:
        one.log_file(tmp_path / "best.ckpt", "checkpoints")
    assert one.artifacts is not None
    copy = one.artifacts / "checkpoints" / "best.ckpt"
    assert copy.read_text() == "weights"
    assert not copy.samefile(tmp_path / "best.ckpt")


def test_a_remote_store_gets_a_copy(
    trained: TrainedHome, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str | None]] = []

    def log_artifact(_: MlflowClient, run: str, file: str, folder: str | None = None) -> None:
        sent.append((file, folder))

    client.create_experiment("remote", artifact_location="s3://bucket/runs")
    monkeypatch.setattr(MlflowClient, "log_artifact", log_artifact)
    with tracker(trained, "remote") as one:
        assert one.artifacts is None
        one.log_file(tmp_path / "best.ckpt", "checkpoints")
    assert sent == [(str(tmp_path / "best.ckpt"), "checkpoints")]


def test_where_a_person_finds_a_run(trained: TrainedHome) -> None:
    one = tracker(trained, "found")
    assert one.location.endswith(f"of {trained.uri}; make dashboard shows it")
    one.uri = "http://127.0.0.1:5001"  # a server's pages are its own
    page = f"http://127.0.0.1:5001/#/experiments/{one.experiment_id}/runs/{one.run_id}"
    assert one.location.endswith(f": {page}")
    one.finish("FINISHED")


def test_a_run_says_how_much_room_it_takes(trained: TrainedHome, run: Run) -> None:
    kept = trained.home / "outputs" / "mlartifacts" / run.info.run_id
    size = measure_folders([trained.run.folder, kept])
    assert trained.run.said("disk") == f"{size / 10**6:.1f} MB"


def test_a_run_that_fails_says_why(trained: TrainedHome, client: MlflowClient, call: Call) -> None:
    experiment = "tracking.experiment=failing"
    finished = call(*TINY, experiment, "data.candidates=90", home=trained.home)
    assert finished.status == 2
    (run,) = runs_of(client, "failing")
    assert run.info.status == "FAILED"
    assert finished.err == f"error: {run.data.tags['error']}\n"
    assert run.data.tags["error"].startswith("data.candidates=90 is more than the catalogue allows")
    assert run.data.params["data.candidates"] == "90"
    assert "config.yaml" in artifacts(client, run.info.run_id)


def test_long_params_stay_whole(trained: TrainedHome, client: MlflowClient) -> None:
    layers = list(range(1000, 1200))
    with tracker(trained, "long") as one:
        one.log_params({"model": {"layers": layers}, "path": "x" * 7000})
        one.set_tags({"overrides": "y" * 7000})
    run = client.get_run(one.run_id)
    assert run.data.params["model.layers"] == str(layers)
    assert len(str(layers)) == 1200
    assert run.data.params["path"] == "x" * 5997 + "..."
    assert run.data.tags["overrides"] == "y" * 4997 + "..."


def test_more_params_than_mlflow_takes_at_once(trained: TrainedHome, client: MlflowClient) -> None:
    with tracker(trained, "many") as one:
        one.log_params({f"p{i}": i for i in range(250)})
    assert client.get_run(one.run_id).data.params == {f"p{i}": str(i) for i in range(250)}


def test_a_deleted_experiment_comes_back(trained: TrainedHome, client: MlflowClient) -> None:
    with tracker(trained, "deleted"):
        pass
    experiment = client.get_experiment_by_name("deleted")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with tracker(trained, "deleted"):
        pass
    assert len(runs_of(client, "deleted")) == 2


def test_two_first_runs_save_one_view(
    trained: TrainedHome, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View("all", 'tags.seed != ""', [], ["test/hr@10"], "test/hr@10", False, key="all-runs")
    set_tag = MlflowClient.set_experiment_tag

    def beaten(*args: Any) -> None:
        set_tag(*args)
        raise MlflowException("UNIQUE constraint failed")

    with tracker(trained, "first-runs") as one:
        monkeypatch.setattr(MlflowClient, "set_experiment_tag", beaten)
        one.save_view(view)
        monkeypatch.setattr(MlflowClient, "set_experiment_tag", set_tag)
        one.save_view(view)
    found = client.get_experiment_by_name("first-runs")
    assert found is not None
    assert [tag for tag in found.tags if tag.startswith(TAG)] == [f"{TAG}all-runs"]


def test_readers_don_t_block_the_writer(trained: TrainedHome) -> None:
    connection = sqlite3.connect(trained.uri.removeprefix("sqlite:///"))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sqlite:///{tmp}", "unable to open database file"),
        ("sqlite:///{tmp}/text", "file is not a database"),
        ("sqlite:///{tmp}/text/mlflow.db", "File exists"),
        ("nonsense://x", "unsupported URI"),
        ("postgresql+nonsense:///y", "Can't load plugin"),
    ],
)
def test_a_store_that_can_t_be_opened(uri: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    uri = uri.format(tmp=tmp_path)
    run = tmp_path / "run"
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        open_tracker({"name": "mlflow", "uri": uri, "experiment": "e", "run_name": "r"}, {}, run)
    # MLflow alone tries for minutes
    assert time.monotonic() - started < 30
    assert str(error.value).startswith(f"tracking.uri={uri} can't be used: ")
    assert reason in str(error.value)
    assert str(error.value).endswith("give another, or tracking=none")
    assert (tmp_path / "text").read_text() == "no database " * 100


def test_find_run_folder(trained: TrainedHome, tmp_path: Path) -> None:
    assert find_run_folder(trained.run.run_id, trained.uri) == trained.run.folder
    assert find_run_folder(trained.run.run_id[:8], trained.uri) == trained.run.folder
    assert find_run_folder(trained.run.run_id[:7], trained.uri) is None
    assert find_run_folder("0123abcd", trained.uri) is None
    assert find_run_folder("0123abcd", f"sqlite:///{tmp_path}/none.db") is None
    assert list(tmp_path.iterdir()) == []


def test_find_a_run_whose_folder_is_gone(trained: TrainedHome) -> None:
    with tracker(trained, "gone", tags={"output_folder": "/nowhere/run"}) as one:
        pass
    with pytest.raises(UserError, match=f"{one.run_id} wrote to /nowhere/run, which is gone"):
        find_run_folder(one.run_id, trained.uri)


def test_no_tracking_leaves_no_database(call: Call, tmp_path: Path) -> None:
    finished = call(*TINY, "trainer.max_epochs=1", "tracking=none")
    assert finished.status == 0
    assert "\ntracking" not in finished.out
    assert {path.name for path in (tmp_path / "outputs").iterdir()} == {"prepared"}
    assert (finished.folder / "metrics.json").is_file()


def test_runs_within_a_run_keep_their_files_to_themselves(tmp_path: Path) -> None:
    for file in ("metrics.json", "checkpoints/best.ckpt", "pretrain-gmf/config.yaml", ".hydra/x"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    kept = [file.relative_to(tmp_path).as_posix() for file in list_files(tmp_path, [])]
    assert kept == ["checkpoints/best.ckpt", "metrics.json"]
    assert list(list_files(tmp_path, ["checkpoints"])) == [tmp_path / "metrics.json"]


def test_files_that_are_not_written_to_their_end_are_not_recorded(tmp_path: Path) -> None:
    for file in ("checkpoints/last.ckpt", "checkpoints/.last.ckpt.part", ".config.yaml.part"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert list(list_files(tmp_path, [])) == [tmp_path / "checkpoints" / "last.ckpt"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("no such table\nSELECT", "no such table"),
        ("", "OSError"),
        (f"{'x' * 200} (by E('a: [Errno 111] refused'))", "[Errno 111] refused"),
        (f"{'x' * 200} Read timed out. (read timeout=60)", "Read timed out"),
        ("x" * 200, "x" * 150 + "..."),
    ],
)
def test_the_reason_that_is_told(message: str, line: str) -> None:
    assert first_line(OSError(message)) == line

"""Runs read back from a small store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from src.dashboard import find_page
from src.errors import UserError
from src.tracking.reading import CURRENT, Reader, list_current
from src.tracking.views import ALL_RUNS, TAG
from tests.tracking.store import Store

TABLE = pd.DataFrame({"user": ["a", "b"], "hr@10": [0.0, 1.0]})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Fill a store: two sweeps of one name, the later with runs that no comparison shows; more."""
    store = Store(tmp_path_factory.mktemp("store"))
    store.run(parent=store.sweep("grid"), name="of an earlier sweep")
    store.ids = {"grid": store.sweep("grid")}  # type: ignore[attr-defined]
    ids: dict[str, str] = store.ids  # type: ignore[attr-defined]
    grid = ids["grid"]
    for name, status, tags in (
        ("stage", "FINISHED", {"stage": "gmf"}),
        ("older", "FINISHED", {"job": "1" * 16}),
        ("latest", "FINISHED", {"job": "1" * 16}),
        ("retried", "FAILED", {"job": "1" * 16, "error": "no memory"}),
        ("failed", "FAILED", {"job": "2" * 16, "error": "disk full"}),
        ("failed again", "KILLED", {"job": "2" * 16}),
    ):
        ids[name] = store.run(parent=grid, name=name, status=status, tags=tags)
    ids["full"] = store.run(
        "other data",
        parent=grid,
        name="full",
        params={"model.factors": "8"},
        metrics={"test/hr_at_10": 0.5, "best/val/ndcg_at_10": 0.25, "fit/seconds": 3},
        files={"history.csv": TABLE, "per_user.parquet": TABLE, "deeper/in.csv": TABLE},
    )
    store.sweep("tuned", kind="tuning")
    ids["alone"] = store.run("alone", status="RUNNING")
    return store


@pytest.fixture
def ids(store: Store) -> dict[str, str]:
    return store.ids  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def reader(store: Store) -> Reader:
    return Reader(store.uri)


def test_a_sweep_s_runs_are_its_jobs_latest(reader: Reader, ids: dict[str, str]) -> None:
    expected = ["full", "failed again", "latest"]
    assert [record.name for record in reader.sweep("grid")] == expected
    assert [record.name for record in reader.sweep(ids["grid"])] == expected


def test_jobs_that_other_code_has_outdated(tmp_path: Path) -> None:
    store = Store(tmp_path)
    current = list_current(["b" * 16, "c" * 16])
    tags = {"kind": "sweep", "sweep": "edited", CURRENT: current}
    parent = store.run(name="edited", tags=tags)
    for name, key, words in (
        ("now", "b", "model=mine"),
        ("before", "a", "model=mine"),
        ("other", "c", "model=gmf"),
        ("of other words", "d", "model=mlp"),
    ):
        store.run(parent=parent, name=name, tags={"job": key * 16, "overrides": words})
    found = [record.name for record in Reader(store.uri).sweep("edited")]
    assert found == ["of other words", "other", "now"]
    assert list_current(["a" * 16] * 501) == ""


def test_an_experiment_s_runs(reader: Reader) -> None:
    names = [record.name for record in reader.experiment("toy")]
    assert names == ["failed again", "latest", "of an earlier sweep"]
    assert [record.status for record in reader.experiment("alone")] == ["RUNNING"]


def test_what_a_record_holds(reader: Reader, ids: dict[str, str]) -> None:
    (record,) = reader.runs([ids["full"]])
    assert record.run_id == ids["full"]
    assert (record.name, record.status) == ("full", "FINISHED")
    assert record.params == {"model.factors": "8"}
    assert record.metrics == {"test/hr@10": 0.5, "best/val/ndcg@10": 0.25, "fit/seconds": 3}
    assert record.tags["status"] == "FINISHED"
    assert record.tags["mlflow.parentRunId"] == ids["grid"]
    assert record.started > 1_700_000_000_000


def test_ids_may_be_short_and_come_in_order(reader: Reader, ids: dict[str, str]) -> None:
    full, failed = ids["full"], ids["failed"]
    found = reader.runs([full[:8], failed, full])
    assert [record.run_id for record in found] == [full, failed]
    assert found[1].tags["error"] == "disk full"


def test_tables(reader: Reader, ids: dict[str, str]) -> None:
    (record,) = reader.runs([ids["full"]])
    for file in ("history.csv", "per_user.parquet", "deeper/in.csv"):
        table = reader.table(record, file)
        assert table is not None
        pd.testing.assert_frame_equal(table, TABLE)
    assert reader.table(record, "none.csv") is None
    assert reader.table(record, "no/folder.csv") is None


def test_sweeps_and_experiments(reader: Reader, ids: dict[str, str]) -> None:
    assert [sweep.name for sweep in reader.sweeps()] == ["tuned", "grid", "grid"]
    assert reader.parent("grid").run_id == ids["grid"]
    assert set(reader.experiments()) == {"toy", "other data", "alone"}


def test_names_that_are_not_there(reader: Reader) -> None:
    for name in ("gird", "it's"):
        with pytest.raises(UserError) as missing:
            reader.sweep(name)
        assert str(missing.value).startswith(f"no sweep {name}")
        assert "tuned, grid)" in str(missing.value)
    with pytest.raises(UserError, match=r"^no sweep gird; did you mean grid"):
        reader.parent("gird")
    with pytest.raises(UserError, match=r"^no experiment toi; did you mean toy\? .*other data"):
        reader.experiment("toi")


def test_ids_that_are_not_there(reader: Reader, ids: dict[str, str]) -> None:
    for wrong in ("0" * 32, "it's not one", "12345678%"):
        with pytest.raises(UserError, match=r"^no run "):
            reader.runs([wrong])
    with pytest.raises(UserError, match="at least 8 characters"):
        reader.runs([ids["full"][:7]])


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no runs yet: .*none\.db is not there"):
        Reader(f"sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database")
    with pytest.raises(UserError, match="can't be read: "):
        Reader(f"sqlite:///{tmp_path}/text.db")


def test_a_store_that_breaks_later(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with sqlite3.connect(store.folder / "mlflow.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    reader = Reader(f"sqlite:///{copy}")
    with sqlite3.connect(copy) as connection:
        connection.execute("DROP TABLE tags")
    with pytest.raises(UserError, match="can't be read: "):
        reader.sweep("grid")


def test_the_view_to_begin_with(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.sweep("an earlier version's")
    (toy,) = store.experiments.values()
    assert Reader(store.uri).latest_view() == (toy, None)
    other = store.run("other")
    store.client.set_experiment_tag(store.experiments["other"], f"{TAG}{ALL_RUNS}", "{}")
    assert Reader(store.uri).latest_view() == (store.experiments["other"], ALL_RUNS)
    sweep = store.sweep("grid")
    store.client.set_experiment_tag(toy, f"{TAG}{sweep}", "{}")
    store.run("other", parent=other)
    # the sweep, though a run of other data began later
    assert Reader(store.uri).latest_view() == (toy, sweep)
    assert find_page(store.uri, "http://127.0.0.1:5000") == (
        f"http://127.0.0.1:5000/#/experiments/{toy}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={sweep}"
    )


def test_a_store_without_runs_has_no_view(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.client.create_experiment("empty")
    assert Reader(store.uri).latest_view() is None
    assert (
        find_page(store.uri, "http://x") == "http://x/#/experiments?workflowType=machine_learning"
    )

"""The embedded database is made whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from src.tracking.database import check_database, creating
from src.tracking.mlflow import MLflowTracker
from tests.commands import REPOSITORY

# Dies at the nth statement that SQLite executes while the database is made
DYING = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from src.tracking.mlflow import MLflowTracker

@event.listens_for(Engine, "before_cursor_execute")
def count(*_, left=[int(sys.argv[2])]):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

MLflowTracker(sys.argv[1], "e", "r").finish("FINISHED")
"""


SLOW = [pytest.param(statement, marks=pytest.mark.slow) for statement in (3, 400)]


def tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def record(uri: str) -> str:
    tracker = MLflowTracker(uri, "e", "r")
    tracker.finish("FINISHED")
    assert tracker.run_id is not None
    return tracker.run_id


@pytest.mark.parametrize("statement", [100, *SLOW])
def test_killed_while_it_is_made(statement: int, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    command = [sys.executable, "-c", DYING, uri, str(statement)]
    assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "mlflow.db").exists()
    assert MlflowClient(uri).get_run(record(uri)).info.status == "FINISHED"
    left = {file.name.partition("-")[0] for file in tmp_path.iterdir()}
    assert left == {"mlflow.db", ".mlflow.db.lock"}


def half_make(database: Path, how: str) -> None:
    """What older versions left where they were killed."""
    with closing(sqlite3.connect(database)) as connection:
        if how == "tables":
            connection.executescript(
                "CREATE TABLE experiments (experiment_id INTEGER); CREATE TABLE runs (a INTEGER);"
                "CREATE TABLE metrics (a INTEGER); INSERT INTO experiments VALUES (0)"
            )
        elif how == "version":
            connection.executescript(
                "CREATE TABLE experiments (experiment_id INTEGER); CREATE TABLE runs (a INTEGER);"
                "CREATE TABLE alembic_version (version_num TEXT);"
                "INSERT INTO alembic_version VALUES ('451aebb31d03')"
            )
        connection.commit()


@pytest.mark.parametrize("how", ["empty", "tables", "version"])
def test_one_that_was_left_half_made_is_replaced(how: str, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    half_make(database, how)
    # a transaction that was cut off would be undone in whatever has the database's name
    (tmp_path / "mlflow.db-journal").write_bytes(b"\0" * 512)
    check_database(f"sqlite:///{database}")
    run_id = record(f"sqlite:///{database}")
    assert MlflowClient(f"sqlite:///{database}").get_run(run_id).info.status == "FINISHED"


def test_one_with_runs_is_left_as_it_is(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run_id = record(uri)
    number = (tmp_path / "mlflow.db").stat().st_ino
    with creating(uri):
        pass
    assert (tmp_path / "mlflow.db").stat().st_ino == number
    assert MlflowClient(uri).get_run(run_id).info.status == "FINISHED"


def test_one_that_is_whole_but_empty_is_left_as_it_is(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    MlflowClient(uri).search_experiments()
    number = (tmp_path / "mlflow.db").stat().st_ino
    with creating(uri):
        pass
    assert (tmp_path / "mlflow.db").stat().st_ino == number


def test_the_tables_of_another_program_are_no_rubbish(tmp_path: Path) -> None:
    database = tmp_path / "other.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    with creating(f"sqlite:///{database}"):
        pass
    assert "songs" in tables(database)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs a limit on files")
def test_a_full_disk_while_it_is_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    # SQLite sees a file that can't grow as it sees a full disk
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
    )
    tried = "from src.tracking.mlflow import MLflowTracker; import sys\n" + (
        "MLflowTracker(sys.argv[1], 'e', 'r')"
    )
    command = [sys.executable, "-c", limited + tried, uri]
    failed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "disk" in failed.stderr.splitlines()[-1] or "disk" in failed.stderr
    assert {file.name for file in tmp_path.iterdir()} == {".mlflow.db.lock"}
    record(uri)


def test_what_can_t_be_used_is_found_without_mlflow(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(sqlite3.Error, match="file is not a database"):
        check_database(f"sqlite:///{tmp_path}/text")
    with pytest.raises(sqlite3.Error, match="unable to open"):
        check_database(f"sqlite:///{tmp_path}")
    check_database(f"sqlite:///{tmp_path}/new/mlflow.db")
    assert list((tmp_path / "new").iterdir()) == []
    shutil.rmtree(tmp_path / "new")

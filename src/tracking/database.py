"""The embedded database: made whole or not at all, by one process at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from src.config.durable import flush_to_disk
from src.tracking.store import SQLITE, embedded, open_client

# What SQLite keeps beside a database while it writes; found beside another one, it would be taken
# for that one's
ASIDE = ("-journal", "-wal", "-shm")


def check_database(uri: str) -> None:
    """Check, without MLflow, which takes long to import, that an embedded database can be used.

    Raises sqlite3.Error or OSError if it can't. Of other stores nothing is known so soon.
    """
    database = embedded(uri)
    if database is None:
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    if database.exists():
        _read_versions(database)
    else:
        # MLflow would try for minutes where no file can be made
        probe = database.with_name(f".{database.name}.{os.getpid()}")
        try:
            with closing(sqlite3.connect(probe)) as connection:
                connection.execute("PRAGMA user_version=1")
        finally:
            _remove(probe)


@contextmanager
def creating(uri: str) -> Iterator[None]:
    """Make the embedded database at `uri`, and hold a lock while an experiment is made in it.

    Two processes that do so at once would corrupt it. A new one is made beside its place and
    renamed: one that was left half made, by a process that was killed or a full disk, is replaced.
    """
    database = embedded(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with _locked(database):
        if not (database.exists() and _holds_data(database)):
            _make(database)
        with closing(sqlite3.connect(database)) as connection:
            # readers and the one writer then don't wait for each other
            connection.execute("PRAGMA journal_mode=WAL")
        yield


def _make(database: Path) -> None:
    """Put a new database in its place, unless the one there only has no runs yet."""
    new = _beside(database)
    _remove(new)  # of a process that was killed
    try:
        client = open_client(f"{SQLITE}{new}")
        client._tracking_client.store.engine.dispose()
        if database.exists() and _read_versions(database) == _read_versions(new):
            return
        flush_to_disk(new)
        for name in ASIDE:
            database.with_name(database.name + name).unlink(missing_ok=True)
        new.replace(database)
    finally:
        _remove(new)


def _holds_data(database: Path) -> bool:
    """Tell whether anything was recorded; an experiment that MLflow makes by itself is nothing."""
    with closing(sqlite3.connect(database)) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not {"runs", "experiments"} <= known:
            # another program's tables are data too
            return bool(known) and "experiments" not in known and "alembic_version" not in known
        counts = [
            connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("runs", "experiments")
        ]
    return counts[0] > 0 or counts[1] > 1


def _read_versions(database: Path) -> list[str]:
    """Return the version of MLflow's tables; none where they are not made to their end."""
    with closing(sqlite3.connect(database)) as connection:
        named = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
        if connection.execute(named).fetchone() is None:
            return []
        return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]


def _beside(database: Path) -> Path:
    return database.with_name(f".{database.name}.new")


def _locked(database: Path) -> FileLock:
    return FileLock(database.with_name(f".{database.name}.lock"))


def _remove(database: Path) -> None:
    for name in ("", *ASIDE):
        database.with_name(database.name + name).unlink(missing_ok=True)

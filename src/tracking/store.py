"""MLflow's stores: opening them, and the errors that they raise."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import sqlite3
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from src.config.startup import importing

SQLITE = "sqlite:///"
CONTACT = 5.0
"""Seconds that a server has for its first answer: one that has none is told at the start."""
ANSWER = 60
"""Seconds that it has for each later one, which nothing but the thread that asks waits for."""
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
LONGEST_REASON = 150
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE")


def store_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a store raises when it can't be reached or written."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError


def embedded(uri: str) -> Path | None:
    """Return the file of an embedded database; None for any other store."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def make_absolute(uri: str) -> str:
    """Return the URI of an embedded database as it is from any working folder."""
    database = embedded(uri)
    if database is None or database.is_absolute() or not database.name:
        return uri
    _, mark, more = uri.partition("?")
    return f"{SQLITE}{database.absolute()}{mark}{more}"


def load_mlflow() -> None:
    """Import MLflow, which takes seconds: no chatter, no telemetry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # with a traceback, beside the one line of ours
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    with importing():
        import mlflow.tracking  # noqa: F401


def open_client(uri: str) -> Any:
    """Return MLflow's client, without a second try of its own.

    Who asks tries again; MLflow would also where the first try may have made a run.
    """
    if uri.startswith("http"):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(ANSWER))
    load_mlflow()
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri)


def first_line(error: Exception) -> str:
    """Return the first line of the error's message, or its type when there is no message.

    Of a long one, which is what a server that can't be reached makes, only the cause is kept.
    """
    line = (str(error).splitlines() or [type(error).__name__])[0]
    if len(line) <= LONGEST_REASON:
        return line
    cause = re.search(r"\[Errno -?\d+\] [^'\")]+|Read timed out", line)
    return cause[0] if cause else f"{line[:LONGEST_REASON]}..."


def is_refusal(error: Exception) -> bool:
    """Tell whether a store won't take what was sent, however often it is sent, or there is none."""
    from sqlalchemy.exc import ArgumentError

    # a database's address that is no address, or whose driver is not installed
    mistaken = isinstance(error, ArgumentError | ImportError)
    return mistaken or getattr(error, "error_code", None) in REFUSALS


def is_disk_full(error: BaseException) -> bool:
    """Tell whether a file could not be written because its disk, or the user's share, is full."""
    said = error.errno in (errno.ENOSPC, errno.EDQUOT) if isinstance(error, OSError) else False
    # SQLite's own words, which SQLAlchemy and MLflow pass on
    return said or "database or disk is full" in str(error)


def check_server(uri: str) -> None:
    """Check that a server answers at all. Raises OSError if it doesn't within CONTACT seconds.

    Without MLflow, which takes long to import. Stores without a server answer always.
    """
    parts = urlsplit(uri)
    kind = parts.scheme.partition("+")[0]
    if parts.hostname is None or kind not in (*PORTS, "http", "https"):
        return
    if kind in PORTS:
        place = (parts.hostname, parts.port or PORTS[kind])
        socket.create_connection(place, timeout=CONTACT).close()
        return
    connect = HTTPSConnection if kind == "https" else HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=CONTACT)
    try:
        # any answer will do: who refuses this may take the rest
        connection.request("GET", f"{parts.path.rstrip('/')}/health")
        connection.getresponse()
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {CONTACT:.0f} seconds") from error
    except HTTPException as error:
        raise ConnectionError(f"no HTTP server there ({error!r})") from error
    finally:
        connection.close()

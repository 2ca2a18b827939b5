"""MLflow's stores: opening them, and the errors that they raise."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

from src.config.startup import importing

SQLITE = "sqlite:///"


def store_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a store raises when it can't be reached or written."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError


def embedded(uri: str) -> Path | None:
    """Return the file of an embedded database; None for any other store."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def open_client(uri: str) -> Any:
    """Return MLflow's client: no chatter or telemetry, and seconds to find a server dead."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    if uri.startswith("http"):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with importing():
        from mlflow.tracking import MlflowClient

        return MlflowClient(uri)


def first_line(error: Exception) -> str:
    """Return the first line of the error's message, or its type when there is no message."""
    return (str(error).splitlines() or [type(error).__name__])[0]

"""Records of runs. Importing this package does not import MLflow."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config.build import Component, read
from src.errors import UserError
from src.tracking.tracker import PARENT, Tracker

if TYPE_CHECKING:
    from src.tracking.background import Recovery
    from src.tracking.mlflow import MLflowOptions

__all__ = ["Tracker", "open_tracker"]

# Options of what is recorded, not of where
ASIDE = ("name", "energy")

log = logging.getLogger(__name__)


def open_tracker(
    options: Mapping[str, Any],
    tags: Mapping[str, Any],
    folder: Path,
    continuing: Mapping[str, str] | None = None,
    *,
    recovery: Recovery | None = None,
    beside: bool = False,
) -> Tracker:
    """Open the tracker that a `tracking` configuration names, for a run that writes to `folder`.

    `continuing`: tags of an earlier run of the experiment, whose record goes on if there is one.
    `recovery`: yields while it closes and sends records of processes that are gone. `beside`: what
    takes long is opened when `Tracker.begin` is called, beside what follows; only what is quickly
    found to be mistaken is told before. Raises UserError when it can't be opened.
    """
    if options["name"] == "none":
        return Tracker()
    own = {key: value for key, value in options.items() if key not in ASIDE}
    if "_target_" in options:
        from src.tracking.lightning_logger import LoggerTracker

        return LoggerTracker(Component.read(own, "tracking"), options["name"], folder)
    from src.tracking.background import BackgroundTracker
    from src.tracking.mlflow import MLflowOptions
    from src.tracking.store import make_absolute

    checked = read(MLflowOptions, own, "tracking")
    checked = replace(checked, uri=make_absolute(checked.uri))
    # a sweep found its server there: what happens to it later costs no job
    _check_store(checked, required=checked.required and PARENT not in tags)
    tracker = BackgroundTracker(checked, tags, folder, continuing, recovery, beside=beside)
    if not beside:
        try:
            tracker.wait()
        except UserError:
            tracker.discard()
            raise
    return tracker


def _check_store(options: MLflowOptions, *, required: bool) -> None:
    """Raise UserError for a store that can't be used, as far as that is known without MLflow.

    A server that is not `required` is told of in a warning, and gets the record later.
    """
    from src.tracking.contact import check_contact
    from src.tracking.database import check_database
    from src.tracking.mlflow import unusable
    from src.tracking.store import first_line

    try:
        check_database(options.uri)
    except (sqlite3.Error, OSError) as error:
        raise unusable(options.uri, error) from error
    try:
        check_contact(options.uri)
    except OSError as error:
        if required:
            raise UserError(
                f"tracking.uri={options.uri} can't be reached: {first_line(error)}; start it, or "
                "tracking.required=false keeps the record until it is there"
            ) from error
        log.warning("%s can't be reached: %s", options.uri, first_line(error))

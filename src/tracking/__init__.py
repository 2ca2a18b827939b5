"""Records of runs. Importing this package does not import MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from src.config.build import Component, check
from src.tracking.tracker import Tracker

__all__ = ["Tracker", "open_tracker"]


def open_tracker(
    options: Mapping[str, Any],
    tags: Mapping[str, Any],
    folder: Path,
    continuing: Mapping[str, str] | None = None,
    *,
    beside: bool = False,
) -> Tracker:
    """Open the tracker that a `tracking` configuration names, for a run that writes to `folder`.

    `continuing`: tags of an earlier run of the experiment, whose record goes on if there is one.
    `beside`: what takes long is opened when `Tracker.begin` is called, beside what follows; only
    what is quickly found to be mistaken is told before. Raises UserError when it can't be opened.
    """
    if options["name"] == "none":
        return Tracker()
    own = {key: value for key, value in options.items() if key != "name"}
    if "_target_" in options:
        from src.tracking.lightning_logger import LoggerTracker

        return LoggerTracker(Component.read(own, "tracking"), options["name"], folder)
    from src.tracking.mlflow import MLflowTracker, prepare_database

    checked = check(MLflowTracker, own, "tracking")
    open_record = partial(MLflowTracker, **checked, tags=tags, continuing=continuing)
    if not beside:
        return open_record()
    from src.tracking.background import BackgroundTracker

    prepare_database(checked["uri"])
    return BackgroundTracker(partial(open_record, started=time.time()), checked["experiment"])

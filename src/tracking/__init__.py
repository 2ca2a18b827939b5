"""Records of runs. Importing this package does not import MLflow."""

from __future__ import annotations

from collections.abc import Mapping
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
) -> Tracker:
    """Open the tracker that a `tracking` configuration names, for a run that writes to `folder`.

    `continuing`: tags of an earlier run of the experiment, whose record goes on if there is one.
    Raises UserError when it can't be opened.
    """
    if options["name"] == "none":
        return Tracker()
    own = {key: value for key, value in options.items() if key != "name"}
    if "_target_" in options:
        from src.tracking.lightning_logger import LoggerTracker

        return LoggerTracker(Component.read(own, "tracking"), options["name"], folder)
    from src.tracking.mlflow import MLflowTracker

    checked = check(MLflowTracker, own, "tracking")
    return MLflowTracker(**checked, tags=tags, continuing=continuing)

"""Records of runs. Importing this package does not import MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.config.build import check
from src.tracking.tracker import Tracker

__all__ = ["Tracker", "open_tracker"]


def open_tracker(
    options: Mapping[str, Any],
    tags: Mapping[str, Any],
    continuing: Mapping[str, str] | None = None,
) -> Tracker:
    """The tracker that a `tracking` configuration names.

    `continuing`: tags of an earlier run of the experiment, whose record goes on if there is one.
    """
    if options["name"] == "none":
        return Tracker()
    from src.tracking.mlflow import MLflowTracker

    options = {key: value for key, value in options.items() if key != "name"}
    checked = check(MLflowTracker, options, "tracking")
    return MLflowTracker(**checked, tags=tags, continuing=continuing)

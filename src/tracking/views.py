"""Saved views of MLflow's pages: named tables of runs, with their numbers and their curves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A tag of the experiment that begins so is a view to MLflow's pages
TAG = "mlflow.sharedViewState."
ALL_RUNS = "all-runs"
"""The key of the view of all runs."""

NAME_WIDTH, PARAM_WIDTH, METRIC_WIDTH = 275, 110, 168  # pixels: four metrics of 1440


@dataclass(frozen=True)
class View:
    """A choice of the runs that the table shows, with its columns and its order."""

    name: str
    condition: str
    """A filter in MLflow's language, as `tags.sweep = "grid"`."""
    params: Sequence[str]
    metrics: Sequence[str]
    """Metrics by their own names, as "test/hr@10"; the curves of "best/val/..." are "val/..."."""
    order: str
    ascending: bool
    curves: Sequence[str] = ()
    """Metrics by epoch that the charts show."""
    every_curve: bool = True
    """Whether the charts show all runs, or the first twenty."""
    key: str = ""
    """What the view is known by in its experiment; by default the run's own id."""


def encode_view(view: View) -> str:
    """Return the text that MLflow's pages (3.17) keep of a view that a person saves there."""
    params = [f"params.`{param}`" for param in view.params]
    metrics = [f"metrics.`{metric}`".replace("@", "_at_") for metric in view.metrics]
    # results first: what was chosen is in the run's name, too
    widths = {
        "attributes.`Run Name`": NAME_WIDTH,
        **dict.fromkeys(metrics, METRIC_WIDTH),
        **dict.fromkeys(params, PARAM_WIDTH),
    }
    curves = "|".join(view.curves).replace("@", "_at_")
    state: dict[str, Any] = {
        "searchFilter": view.condition,
        "orderByKey": f"metrics.`{view.order}`".replace("@", "_at_"),
        "orderByAsc": view.ascending,
        "selectedColumns": [*metrics, *params],
        "columnOrder": list(widths),
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL" if view.every_curve else "FIRST_20_RUNS",
        "chartsSearchFilter": f"^({curves})$",
    }
    now = int(time.time() * 1000)
    return json.dumps({"name": view.name, "createdAt": now, "state": json.dumps(state)})

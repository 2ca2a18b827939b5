"""What a command came to, whenever it was cut off: weights, results, metrics, the whole record."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import torch

# What two runs of one seed differ in
TIMES = ("second", "per_second")


def result(home: Path) -> dict[str, Any]:
    """Return all that has to be the same in the end."""
    found: dict[str, Any] = {}
    for metrics in sorted((home / "outputs").glob("*/*/metrics.json")):
        folder = metrics.parent
        values = json.loads(metrics.read_text())
        kept = {k: v for k, v in values.items() if not any(time in k for time in TIMES)}
        content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        weights = {name: value.tolist() for name, value in content["state_dict"].items()}
        users = pd.read_parquet(folder / "per_user.parquet").to_dict("list")
        name = folder.name if folder.parent.name == "jobs" else "run"
        found[f"{name}-{len(found)}"] = {"metrics": kept, "weights": weights, "users": users}
    found["record"] = record(home / "outputs" / "mlflow.db")
    return found


def record(database: Path) -> list[Any]:
    """Return the store's runs: how each ended, its points by epoch, its final metrics."""
    query = (
        "SELECT runs.run_uuid, runs.status, runs.name, m.key, m.step, round(m.value, 5)"
        " FROM runs LEFT JOIN metrics m ON m.run_uuid = runs.run_uuid ORDER BY m.timestamp"
    )
    runs: dict[str, list[Any]] = {}
    with sqlite3.connect(database) as connection:
        for run, status, name, *point in connection.execute(query):
            known = runs.setdefault(run, [status, name.rpartition("_")[0], []])
            # a sweep counts its jobs at the end of every start: the last count is the sweep's
            if str(point[0]).startswith("jobs/"):
                known[2] = [other for other in known[2] if other[0] != point[0]]
            if not any(time in str(point[0]) for time in TIMES):
                known[2].append(point)
    return sorted([status, name, sorted(points, key=str)] for status, name, points in runs.values())


def compare(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Return what differs; None where nothing does."""
    if set(found) != set(expected):
        return f"runs {sorted(found)} instead of {sorted(expected)}"
    for name, value in expected.items():
        if found[name] == value:
            continue
        if name == "record":
            return f"the record has {_differing(found[name], value)[:1000]}"
        return f"{name}: {next(k for k in value if found[name][k] != value[k])} differ"
    return None


def _differing(found: list[Any], expected: list[Any]) -> str:
    """Describe the runs of a record that are not as expected, by what they have and should have."""
    more = [run for run in found if run not in expected]
    less = [run for run in expected if run not in found]
    points = [[point for run in runs for point in run[2]] for runs in ([*more], [*less])]
    which = [[run[:2] for run in runs] for runs in (more, less)]
    own = [[p for p in these if p not in those] for these, those in (points, points[::-1])]
    return f"{which[0]} {own[0]} instead of {which[1]} {own[1]}"

"""The note on a run's page in MLflow: its results, and links to what there is to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from src.evaluation.catalogue import PARTS, label_of
from src.reporting.wording import decimal
from src.tracking.notes import link_files

LISTS, GROUPS, CURVES = "recommended.html", "groups.svg", "curves.png"
NAMES = {LISTS: "what it recommends", CURVES: "learning curves", GROUPS: "by group"}
HEADLINES = ("rmse", "ndcg@10", "hr@10")


def make_note(folder: Path, metrics: Mapping[str, float]) -> str:
    """Return the note of a run that came to `metrics` in `folder`."""
    return f"{_describe(metrics)}\n\n{link_files(folder, NAMES)}"


def _describe(metrics: Mapping[str, float]) -> str:
    """Return the results that matter most: "validation NDCG@10 .4072, HR@10 .6791; test ..."."""
    parts = []
    for part, label in PARTS.items():
        names = [f"{part}/{name}" for name in HEADLINES if f"{part}/{name}" in metrics]
        if names:
            said = ", ".join(f"{label_of(name)} {decimal(metrics[name])}" for name in names)
            parts.append(f"{label} {said}")
    return "; ".join(parts)

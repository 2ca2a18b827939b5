"""What the metrics of runs are called, and which value is better: the user's own included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from src.evaluation.catalogue import CUTOFF, PARTS, Metric, find_metric, part_of
from src.tracking.reading import Record

TAG = "metrics"
"""The tag of a run that describes its own metrics: {"novel": {"label": "Novel"}} as JSON."""


class RunMetrics:
    """The catalogue's metrics, and those that runs describe in their tags."""

    def __init__(self, runs: Iterable[Record]) -> None:
        """Read the tags of these runs, and the names of their metrics."""
        self.own: dict[str, Metric] = {}
        """The metrics of the user's own, by their bare names."""
        self.names: set[str] = set()
        """The names of all metrics that any run has, such as "test/ndcg@10"."""
        for run in runs:
            self.names |= set(run.metrics)
            self.own |= _read_description(run.tags.get(TAG, "{}"))

    def find(self, name: str) -> Metric:
        """Return the metric of a name like "val/ndcg@10"."""
        known = find_metric(name)
        return self.own.get(known.name, known)

    def lower_is_better(self, name: str) -> bool:
        """Tell whether the metric of this name is an error."""
        return self.find(name).lower_is_better

    def label(self, name: str) -> str:
        """Return how a metric is written: "NDCG@10" for "val/ndcg@10"."""
        _, at, cutoff = name.rpartition("/")[2].partition("@")
        return f"{self.find(name).label}{at}{cutoff}"

    def label_with_part(self, name: str) -> str:
        """Return how an axis has a metric: "validation NDCG@10" for "val/ndcg@10"."""
        return f"{PARTS[part_of(name)]} {self.label(name)}"

    @property
    def cutoff(self) -> int:
        """The length of list to compare by: 10 where any run was judged so, else the longest."""
        matches = (re.search(r"/ndcg@(\d+)$", name) for name in self.names)
        cutoffs = {int(match[1]) for match in matches if match}
        return CUTOFF if CUTOFF in cutoffs or not cutoffs else max(cutoffs)

    def list_own_names(self) -> list[str]:
        """Return the name on test of each of the user's own metrics that any run has.

        What is measured of whole lists may be there among all unseen items only.
        """
        found = []
        for own in self.own.values():
            names = [
                f"{part}/{bare}"
                for part in ("test", "test/full")
                for bare in (f"{own.name}@{self.cutoff}", own.name)
            ]
            found += [name for name in names if name in self.names][:1]
        return found


def _read_description(text: str) -> dict[str, Metric]:
    """Return the metrics that a tag describes, none where it says something else."""
    try:
        described: Any = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(described, dict):
        return {}
    return {
        name: replace(find_metric(name), **_choose_fields(fields))
        for name, fields in described.items()
        if isinstance(fields, dict)
    }


def _choose_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a metric as far as it is known here."""
    return {key: fields[key] for key in ("label", "lower_is_better") if key in fields}

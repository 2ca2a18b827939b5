"""What configurations are judged by, their order, and the table of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from src.reporting.comparison.configurations import Configuration

CUTOFF = 10
ERRORS = ("rmse", "mae")


@dataclass(frozen=True)
class Measure:
    """A column of the table."""

    name: str
    """As runs have it: "test/ndcg@10"."""
    title: str
    spread: bool = False
    """Whether the standard deviation over seeds stands behind the mean."""
    better: int = 0
    """1: more is better, -1: less is, 0: neither."""

    def of(self, one: Configuration) -> float | None:
        return one.seconds if self.name == "fit/seconds" else one.mean(self.name)


class Comparison:
    """Configurations in the order to be read in: best on test first."""

    def __init__(self, found: Sequence[Configuration]) -> None:
        monitors = {one.param("protocol.monitor") for one in found}
        self.monitors = sorted(monitor for monitor in monitors if monitor)
        monitor = self.monitors[0] if len(self.monitors) == 1 else None
        self.monitor = monitor
        """What chose the epochs, such as "val/ndcg@10"; None where that differs."""
        self.comparable = len({one.comparable for one in found}) <= 1
        self.cutoff = _cutoff(found)
        self.quality = self._quality(found)
        """The metric that orders: of test where there is any."""
        self.configurations = best_first(found, self.quality)

    @cached_property
    def chosen(self) -> Configuration | None:
        """What validation would choose; None where epochs were chosen on test, or unlike things."""
        if self.monitor is None or not self.monitor.startswith("val/") or not self.comparable:
            return None
        ordered = best_first(self.configurations, self.monitor)
        return (
            ordered[0] if len(ordered) > 1 and ordered[0].mean(self.monitor) is not None else None
        )

    @property
    def selector(self) -> str:
        """What the few are chosen by where all would be too many: the monitor, if it is one."""
        return self.monitor or self.quality

    def by_selector(self) -> list[Configuration]:
        """Best first."""
        return best_first(self.configurations, self.selector)

    def foremost(
        self, most: int, among: Sequence[Configuration] | None = None
    ) -> list[Configuration]:
        """The best of each model, then the best of the others, up to `most`; in reading order."""
        ordered = [one for one in self.by_selector() if among is None or one in among]
        heads = best_of_each(ordered)
        kept = [*heads, *(one for one in ordered if one not in heads)][:most]
        return [one for one in self.configurations if one in kept]

    def measures(self) -> list[Measure]:
        """The table's columns, as far as any run has them."""
        k = self.cutoff
        columns = [
            Measure("test/rmse", "RMSE", True, -1),
            Measure("test/mae", "MAE", True, -1),
            Measure(f"test/hr@{k}", f"HR@{k}", True, 1),
            Measure(f"test/ndcg@{k}", f"NDCG@{k}", True, 1),
            Measure(f"test/full/ndcg@{k}", f"NDCG@{k}, all unseen", True, 1),
            *(
                Measure(name, f"validation {title(name)}", True, -1 if is_error(name) else 1)
                for name in self.monitors
                if name.startswith("val/")
            ),
            Measure("fit/best_epoch", "best epoch"),
            Measure("fit/seconds", "training, s", better=-1),
            Measure("fit/parameters", "parameters", better=-1),
        ]
        return [m for m in columns if any(m.of(one) is not None for one in self.configurations)]

    def table(self) -> pd.DataFrame:
        """One row a configuration: names, seeds, mean and sd of each measure, what differs."""
        rows = []
        for one in self.configurations:
            row = {
                "configuration": one.label,
                "picture_name": one.mark,
                "model": one.model,
                "seeds": " ".join(map(str, one.seeds)),
                "n": len(one.runs),
                "chosen_by_validation": one is self.chosen,
            }
            for measure in self.measures():
                row[measure.name] = measure.of(one)
                if measure.spread:
                    row[f"{measure.name} sd"] = one.sd(measure.name)
            rows.append({**row, **one.options})
        return pd.DataFrame(rows)

    def _quality(self, found: Sequence[Configuration]) -> str:
        errors = self.monitors and all(is_error(monitor) for monitor in self.monitors)
        name = "test/rmse" if errors else f"test/ndcg@{self.cutoff}"
        tested = any(one.mean(name) is not None for one in found)
        return name if tested or self.monitor is None else self.monitor


def runs_table(comparison: Comparison) -> pd.DataFrame:
    """One row a run: what it is, the options that differ, and all its metrics."""
    return pd.DataFrame(
        {
            "configuration": one.label,
            "seed": run.params.get("seed"),
            "run_id": run.run_id,
            **one.options,
            **run.metrics,
        }
        for one in comparison.configurations
        for run in one.runs
    )


def best_first(found: Sequence[Configuration], metric: str) -> list[Configuration]:
    """Those without the metric last."""
    sign = 1 if is_error(metric) else -1

    def place(one: Configuration) -> float:
        mean = one.mean(metric)
        return np.inf if mean is None else sign * mean

    return sorted(found, key=place)


def best_of_each(ordered: Sequence[Configuration]) -> list[Configuration]:
    """The first of each model."""
    first: dict[str, Configuration] = {}
    for one in ordered:
        first.setdefault(one.model, one)
    return list(first.values())


def is_error(metric: str) -> bool:
    """Whether less is better."""
    return metric.rpartition("/")[2] in ERRORS


def title(metric: str) -> str:
    """How a metric is written: "NDCG@10" for "val/ndcg@10"."""
    return metric.rpartition("/")[2].upper()


def _cutoff(found: Sequence[Configuration]) -> int:
    """10 where any run was judged so, else the longest list that one was."""
    names = {name for one in found for run in one.runs for name in run.metrics}
    cutoffs = {int(match[1]) for name in names if (match := re.search(r"/ndcg@(\d+)$", name))}
    return CUTOFF if CUTOFF in cutoffs or not cutoffs else max(cutoffs)

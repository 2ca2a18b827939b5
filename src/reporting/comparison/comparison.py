"""Configurations in the order to be read in, and which of them validation would choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from src.evaluation.catalogue import PARTS, part_of
from src.reporting.comparison.configurations import Configuration
from src.reporting.comparison.run_metrics import RunMetrics


class Comparison:
    """Configurations in the order to be read in: best on test first."""

    def __init__(self, found: Sequence[Configuration]) -> None:
        """Order the configurations that were found."""
        self.metrics = RunMetrics(run for one in found for run in one.runs)
        """What metrics are called and which values are better."""
        monitors = {one.param("protocol.monitor") for one in found}
        self.monitors = sorted(monitor for monitor in monitors if monitor)
        monitor = self.monitors[0] if len(self.monitors) == 1 else None
        self.monitor = monitor
        """What chose the epochs, such as "val/ndcg@10"; None where that differs."""
        self.comparable = len({one.comparable for one in found}) <= 1
        self.cutoff = self.metrics.cutoff
        self.quality = self._choose_quality(found)
        """The metric that orders: of test where there is any."""
        self.configurations = self.order(found, self.quality)

    @cached_property
    def chosen(self) -> Configuration | None:
        """What validation would choose; None where epochs were chosen on test, or unlike things."""
        if self.monitor is None or part_of(self.monitor) != "val" or not self.comparable:
            return None
        ordered = self.order(self.configurations, self.monitor)
        return (
            ordered[0] if len(ordered) > 1 and ordered[0].mean(self.monitor) is not None else None
        )

    @property
    def selector(self) -> str:
        """What the few are chosen by where all would be too many: the monitor, if it is one."""
        return self.monitor or self.quality

    @property
    def quality_label(self) -> str:
        """What orders the page: "test NDCG@10"."""
        return self.metrics.label_with_part(self.quality)

    @property
    def selector_label(self) -> str:
        """What the few are chosen by: "NDCG@10 on validation"."""
        return f"{self.metrics.label(self.selector)} on {PARTS[part_of(self.selector)]}"

    def order(self, found: Iterable[Configuration], metric: str) -> list[Configuration]:
        """Return configurations best first by the metric, and those without it last."""
        sign = 1 if self.metrics.lower_is_better(metric) else -1

        def place(one: Configuration) -> float:
            mean = one.mean(metric)
            return np.inf if mean is None else sign * mean

        return sorted(found, key=place)

    def order_by_selector(self) -> list[Configuration]:
        """Return all configurations best first by what the few are chosen by."""
        return self.order(self.configurations, self.selector)

    def choose_foremost(
        self, most: int, among: Sequence[Configuration] | None = None
    ) -> list[Configuration]:
        """Return the best of each model, then the best of the others, up to `most`.

        They are in reading order.
        """
        ordered = [one for one in self.order_by_selector() if among is None or one in among]
        heads = choose_best_of_each(ordered)
        kept = [*heads, *(one for one in ordered if one not in heads)][:most]
        return [one for one in self.configurations if one in kept]

    def _choose_quality(self, found: Sequence[Configuration]) -> str:
        """Return the metric that orders the page."""
        errors = self.monitors and all(map(self.metrics.lower_is_better, self.monitors))
        name = "test/rmse" if errors else f"test/ndcg@{self.cutoff}"
        tested = any(one.mean(name) is not None for one in found)
        return name if tested or self.monitor is None else self.monitor


def choose_best_of_each(ordered: Sequence[Configuration]) -> list[Configuration]:
    """Return the first configuration of each model."""
    first: dict[str, Configuration] = {}
    for one in ordered:
        first.setdefault(one.model, one)
    return list(first.values())

"""Configurations in the order to be read in, and which of them validation would choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from src.evaluation.catalogue import PARTS, part_of
from src.reporting.comparison.configurations import Configuration
from src.reporting.comparison.run_metrics import RunMetrics
from src.reporting.wording import candidates


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

    @cached_property
    def _conditions(self) -> dict[tuple[str, ...], str]:
        """What to call each set of configurations that can be compared: "ml-100k"."""
        known = {one.comparable: _describe_conditions(one) for one in self.configurations}
        differing = [
            i for i, parts in enumerate(zip(*known.values(), strict=True)) if len(set(parts)) > 1
        ]
        names: dict[tuple[str, ...], str] = {}
        for n in range(1, 1 + len(differing)):
            names = {
                key: ", ".join(parts[i] for i in differing[:n]) for key, parts in known.items()
            }
            if len(set(names.values())) == len(names):
                break
        return names

    def series_of(self, one: Configuration) -> str:
        """Return what a line of a picture is of: the model, and what it can't be compared across.

        "gmf", or "gmf, ml-100k" where other data are on the page.
        """
        return one.model if self.comparable else f"{one.model}, {self._conditions[one.comparable]}"

    def order(self, found: Iterable[Configuration], metric: str) -> list[Configuration]:
        """Return configurations best first by the metric, and those without it last."""
        sign = 1 if self.metrics.lower_is_better(metric) else -1

        def place(one: Configuration) -> float:
            mean = one.mean(metric)
            return np.inf if mean is None else sign * mean

        return sorted(found, key=place)

    def choose_best_of_each(self, ordered: Iterable[Configuration]) -> list[Configuration]:
        """Return the first of each model, on each data and under each protocol."""
        first: dict[str, Configuration] = {}
        for one in ordered:
            first.setdefault(self.series_of(one), one)
        return list(first.values())

    def order_by_selector(self) -> list[Configuration]:
        """Return all configurations best first by what the few are chosen by."""
        return self.order(self.configurations, self.selector)

    def choose_foremost(
        self, most: int, among: Sequence[Configuration] | None = None
    ) -> list[Configuration]:
        """Return the best of each series, then the best of the others, up to `most`.

        They are in reading order.
        """
        ordered = [one for one in self.order_by_selector() if among is None or one in among]
        heads = self.choose_best_of_each(ordered)
        kept = [*heads, *(one for one in ordered if one not in heads)][:most]
        return [one for one in self.configurations if one in kept]

    def _choose_quality(self, found: Sequence[Configuration]) -> str:
        """Return the metric that orders the page."""
        errors = self.monitors and all(map(self.metrics.lower_is_better, self.monitors))
        name = "test/rmse" if errors else f"test/ndcg@{self.cutoff}"
        tested = any(one.mean(name) is not None for one in found)
        return name if tested or self.monitor is None else self.monitor


def _describe_conditions(one: Configuration) -> tuple[str, ...]:
    """Return what numbers can't be compared across, in words."""
    names = (one.param("data.name") or "", one.param("protocol.name") or "")
    among = candidates(one.param("data.candidates") or "unknown")
    return (*names, among, one.comparable[0][:6])

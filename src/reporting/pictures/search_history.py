"""The pictures of a search: what its trials came to, and which options mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Point:
    """A trial in the history."""

    number: int
    value: float
    pruned: bool


def draw_history(
    file: Path, name: str, metric: str, points: Sequence[Point], minimized: bool
) -> None:
    """Writes every trial's value and the best one so far, in the order of the trials."""
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    whole = [point for point in points if not point.pruned]
    pruned = [point for point in points if point.pruned]
    axes.plot(*_places(whole), "o", color="C0", alpha=0.7, ms=5, label="finished")
    if pruned:
        axes.plot(*_places(pruned), "o", color="0.5", mfc="none", ms=5, label="pruned")
    numbers, values = _places(whole)
    so_far = (np.minimum if minimized else np.maximum).accumulate(values)
    # on to the last trial, whether it was finished or not
    ends = [*numbers, points[-1].number], [*so_far, so_far[-1]]
    axes.step(*ends, where="post", color="C1", label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric)
    axes.set_title(f"{name}: {metric} of {len(points)} trials", fontsize="medium")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=120)


def _places(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    return [point.number for point in points], [point.value for point in points]


def draw_importance(file: Path, name: str, metric: str, importances: Mapping[str, float]) -> None:
    """Writes each option's share of the variance as a bar, the largest on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.2 + 0.35 * len(importances)), layout="constrained")
    axes = figure.subplots()
    names, shares = list(importances), [100 * share for share in importances.values()]
    bars = axes.barh(names, shares, color="C0", alpha=0.7)
    axes.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(shares))
    axes.set_xlabel(f"share of the variance of {metric}, %")
    axes.set_title(f"{name}: which options matter", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)

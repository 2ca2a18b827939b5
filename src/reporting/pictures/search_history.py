"""The pictures of a search: the values of its trials, and which options mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.reporting.palette import HUES
from src.reporting.pictures.canvas import new_figure, save_figure

WIDTH = 7


@dataclass(frozen=True)
class TrialPoint:
    """A trial in the history."""

    number: int
    value: float
    pruned: bool


def draw_history(
    file: Path, name: str, metric: str, points: Sequence[TrialPoint], minimized: bool
) -> None:
    """Write every trial's value and the best one so far, in the order of the trials."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(WIDTH, 4)
    whole = [point for point in points if not point.pruned]
    pruned = [point for point in points if point.pruned]
    axes.plot(*_list_places(whole), "o", color=HUES[0], alpha=0.7, ms=5, label="finished")
    if pruned:
        axes.plot(*_list_places(pruned), "o", color="0.5", mfc="none", ms=5, label="pruned")
    numbers, values = _list_places(whole)
    so_far = (np.minimum if minimized else np.maximum).accumulate(values)
    # on to the last trial, whether it was finished or not
    ends = [*numbers, points[-1].number], [*so_far, so_far[-1]]
    axes.step(*ends, where="post", color=HUES[1], label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric)
    axes.set_title(f"{name}: {metric} of {len(points)} trials", fontsize="medium")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(fontsize="small")
    save_figure(figure, file)


def _list_places(points: Sequence[TrialPoint]) -> tuple[list[int], list[float]]:
    """Return the numbers of the trials and their values."""
    return [point.number for point in points], [point.value for point in points]


def draw_importance(file: Path, name: str, metric: str, importances: Mapping[str, float]) -> None:
    """Write each option's share of the variance as a bar, the largest on top."""
    figure, axes = new_figure(WIDTH, 1.2 + 0.35 * len(importances))
    names, shares = list(importances), [100 * share for share in importances.values()]
    bars = axes.barh(names, shares, color=HUES[0], alpha=0.7)
    axes.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3, fontsize="small")
    axes.grid(visible=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(shares))
    axes.set_xlabel(f"share of the variance of {metric}, %")
    axes.set_title(f"{name}: which options matter", fontsize="medium")
    save_figure(figure, file)

"""The picture of a run: loss and judged metrics by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.evaluation.catalogue import (
    METRICS,
    PARTS,
    headlines,
    label_of,
    lower_is_better,
    part_of,
)
from src.reporting.palette import HUES
from src.reporting.pictures.canvas import make_figure, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS = "train/loss"
COLORS = dict(zip((label_of(m.name) for m in METRICS if m.headline), HUES, strict=False))


def draw_curves(
    file: Path, title: str, epochs: Sequence[Mapping[str, float]], best: int, part: str
) -> None:
    """Write the training loss and the metrics of `part` by epoch, as far as there are any.

    Errors of ratings and metrics of rankings have axes of their own. `best` is the selected epoch,
    counted from 0.
    """
    panels = _list_panels(epochs[0], part)
    figure = make_figure(4.5 * len(panels), 3.6)
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, names) in zip(places, panels, strict=True):
        _draw_panel(axes, names, epochs, best)
        axes.set_ylabel(label)
    figure.suptitle(title, fontsize="medium")
    save_figure(figure, file)


def _list_panels(epoch: Mapping[str, float], part: str) -> list[tuple[str, list[str]]]:
    """Return the label of each panel and the names of the metrics that it shows."""
    shown = headlines(name for name in epoch if part_of(name) == part)
    panels = [("training loss", [LOSS])] if LOSS in epoch else []
    panels += [(f"{PARTS[part]} {label_of(n)}", [n]) for n in shown if lower_is_better(n)]
    ranking = [name for name in shown if not lower_is_better(name)]
    return [*panels, (PARTS[part], ranking)] if ranking else panels


def _draw_panel(
    axes: Axes, names: Sequence[str], epochs: Sequence[Mapping[str, float]], best: int
) -> None:
    """Draw one line for each metric, with its value in the selected epoch."""
    from matplotlib.ticker import MaxNLocator

    numbers = [int(epoch["epoch"]) + 1 for epoch in epochs]
    for name in names:
        values = [epoch[name] for epoch in epochs]
        color = COLORS.get(label_of(name).partition("@")[0], "0.3")
        axes.plot(numbers, values, ".-", color=color, label=label_of(name))
        if name != LOSS:
            _write_value(axes, best + 1, values[numbers.index(best + 1)], color)
    if LOSS not in names:
        axes.axvline(best + 1, color="0.7", ls="--", lw=1, zorder=0, label="selected epoch")
    if len(names) > 1:
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right", fontsize="small")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style_axes(axes)


def _write_value(axes: Axes, epoch: int, value: float, color: str) -> None:
    """Write a metric's value in the selected epoch below its line."""
    axes.annotate(
        f"{value:.4f}",
        (epoch, value),
        xytext=(-4, -14),
        textcoords="offset points",
        ha="right",
        fontsize="small",
        color=color,
    )

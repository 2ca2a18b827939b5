"""Curves of ours beside published ones, in rows and columns of panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.reporting.pictures.canvas import make_figure, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Curve:
    """One line of a panel; a single y without an x is a level right across."""

    label: str
    """In the legend, once for the curves of all panels that share it."""
    color: str
    x: Sequence[float]
    y: Sequence[float]
    published: bool = False
    """Dashed, with hollow markers, and not in the legend by its own name."""
    spread: Sequence[float] = ()
    """Standard deviations over seeds, as bars; none: no bars."""
    thin: bool = False
    """One of several seeds, behind their mean."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    xlabel: str
    ylabel: str
    curves: Sequence[Curve]
    ticks: Sequence[float] = ()
    """The only places on x that matter, evenly spaced; none: a plain numeric axis."""


def draw_panels(file: Path, title: str, rows: Sequence[Sequence[Panel]]) -> None:
    """Write the picture of all panels under one legend; the file's ending says the format."""
    from matplotlib.lines import Line2D

    columns = max(len(row) for row in rows)
    figure = make_figure(4.4 * columns, 1.3 + 3.1 * len(rows), w_pad=0.12, h_pad=0.08)
    for places, row in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        for axes, panel in zip(places, row, strict=True):
            _draw_panel(axes, panel)
    curves = [curve for row in rows for panel in row for curve in panel.curves]
    named = {curve.label: curve.color for curve in curves}
    handles = [Line2D([], [], color=color, marker="o", ms=4) for color in named.values()]
    labels = list(named)
    if any(curve.published for curve in curves):
        handles.append(Line2D([], [], color="0.4", ls="--", lw=1, marker="o", mfc="white", ms=5))
        labels.append("published")
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2 * columns))
    figure.suptitle(title, fontsize="medium")
    save_figure(figure, file)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw the panel's curves: the published ones, single seeds, and ours before all."""
    from matplotlib.ticker import MaxNLocator

    # powers of two, say, stand evenly spaced, as in the papers
    places = {tick: float(place) for place, tick in enumerate(panel.ticks)}
    for curve in sorted(panel.curves, key=lambda curve: (not curve.published, not curve.thin)):
        style = _choose_style(curve)
        if not curve.x:
            axes.axhline(curve.y[0], color=curve.color, lw=1, ls=style["ls"], alpha=0.8)
            continue
        x = [places.get(value, float(value)) for value in curve.x]
        if any(curve.spread):
            axes.errorbar(x, curve.y, curve.spread, color=curve.color, capsize=2, **style)
        else:
            axes.plot(x, curve.y, color=curve.color, **style)
    if panel.ticks:
        axes.set_xticks(list(places.values()), [f"{tick:g}" for tick in panel.ticks])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(panel.title, fontsize="small")
    axes.set_xlabel(panel.xlabel)
    axes.set_ylabel(panel.ylabel)
    style_axes(axes)


def _choose_style(curve: Curve) -> dict[str, Any]:
    """Return how the curve's line and markers look."""
    if curve.published:
        return {"ls": "--", "lw": 1, "marker": "o", "mfc": "white", "ms": 5, "alpha": 0.8}
    if curve.thin:
        return {"ls": "-", "lw": 0.7, "alpha": 0.5}
    # many points need no markers to be seen
    return {"ls": "-", "lw": 1.5, "marker": "o" if len(curve.x) <= 12 else "", "ms": 4}

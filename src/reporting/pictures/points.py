"""Points of a comparison: quality by the value of an option, and quality against training time."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import pandas as pd

from src.reporting.palette import model_colors
from src.reporting.pictures.canvas import PAGE_DPI, WIDTH, new_figure, save_figure
from src.reporting.pictures.lines import count_legend_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

# What spans more than this factor is shown on a logarithmic scale
LOGARITHMIC = 10
# More values than these are a cloud of points, not a line
LONGEST_LINE = 12
# Names of so many letters fit four to a line
SHORT_NAME = 12
# Where a point's name may stand, in points from it and aligned so; the first that is free
PLACES: tuple[tuple[int, int, Literal["left", "center", "right"]], ...] = (
    (6, 4, "left"),
    (-6, 4, "right"),
    (6, -11, "left"),
    (-6, -11, "right"),
    (0, 9, "center"),
    (0, -16, "center"),
    (10, 14, "left"),
    (-10, 14, "right"),
)


@dataclass(frozen=True)
class TradePoint:
    """A configuration in the picture of quality against time."""

    name: str
    series: str
    seconds: float
    quality: float
    sd: float | None


def draw_option(
    file: Path, table: pd.DataFrame, option: str, label: str, series: Sequence[str], doubling: bool
) -> None:
    """Write one line a series over the option's values, with the sd over seeds as error bars.

    `table` has series, value, mean and sd; `series` are all on the page, which fixes the colours.
    `doubling`: a binary logarithmic axis with a tick at every value.
    """
    figure, axes = new_figure()
    colors = model_colors(series)
    for name, part in table.groupby("series", sort=False):
        few = len(part) <= LONGEST_LINE
        axes.errorbar(
            part["value"],
            part["mean"],
            part["sd"].astype(float).fillna(0),
            fmt="o-" if few else "o",
            ms=4.5,
            capsize=3,
            color=colors[str(name)],
            label=str(name),
        )
    values = sorted(table["value"].unique())
    if doubling and values[0] > 0:
        axes.set_xscale("log", base=2)
    elif values[0] > 0 and values[-1] / values[0] > LOGARITHMIC and _is_crowded(values):
        axes.set_xscale("log")
    if len(values) <= LONGEST_LINE:
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    axes.set(xlabel=option, ylabel=label)
    names = [str(name) for name in table["series"].unique()]
    short = max(map(len, names)) <= SHORT_NAME
    columns = min(len(names), 4) if short else count_legend_columns(names)
    figure.legend(loc="outside lower center", ncols=columns, fontsize="small", frameon=False)
    save_figure(figure, file, PAGE_DPI)


def _is_crowded(values: Sequence[float]) -> bool:
    """Tell whether most values lie at the lower end of their range."""
    return values[len(values) // 2] < 0.3 * values[-1]


def find_front(points: Sequence[TradePoint], lower_is_better: bool) -> list[TradePoint]:
    """Return the points that no other beats in both, from the quickest to the best (Pareto)."""
    sign = -1 if lower_is_better else 1
    kept: list[TradePoint] = []
    for point in sorted(points, key=lambda point: (point.seconds, -sign * point.quality)):
        if not kept or sign * point.quality > sign * kept[-1].quality:
            kept.append(point)
    return kept


def draw_tradeoff(
    file: Path,
    points: Sequence[TradePoint],
    named: Container[str],
    label: str,
    best: Sequence[TradePoint],
    markers: Mapping[str, str] = MappingProxyType({}),
    size: tuple[float, float] = (WIDTH, 4.2),
) -> None:
    """Write quality against training time, with the front `best` and the names `named`.

    markers: the shape of a series' points where it is no disc. size: inches across and up.
    """
    figure, axes = new_figure(*size)
    colors = model_colors(point.series for point in points)
    axes.plot(
        [point.seconds for point in best],
        [point.quality for point in best],
        drawstyle="steps-post",
        color="0.6",
        lw=1,
        ls="--",
        zorder=1,
        label="nothing quicker is as good" if len(best) > 1 else None,
    )
    for series, color in colors.items():
        part = [point for point in points if point.series == series]
        axes.errorbar(
            [point.seconds for point in part],
            [point.quality for point in part],
            [point.sd or 0 for point in part],
            fmt=markers.get(series, "o"),
            ms=5,
            elinewidth=0.8,
            color=color,
            label=series,
        )
    times = [point.seconds for point in points]
    if min(times) > 0 and max(times) / min(times) > LOGARITHMIC:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(0.15, 0.12)
    axes.set(xlabel="training, seconds", ylabel=label)
    figure.legend(loc="outside lower center", ncols=4, fontsize="small", frameon=False)
    figure.draw_without_rendering()
    _name_points(axes, [point for point in points if point.name in named], points, colors)
    save_figure(figure, file, PAGE_DPI)


def _name_points(
    axes: Axes,
    chosen: Sequence[TradePoint],
    points: Sequence[TradePoint],
    colors: Mapping[str, str],
) -> None:
    """Write names beside points where they cover neither a point nor each other, if they can."""
    spots = axes.transData.transform([(point.seconds, point.quality) for point in points])
    written: list[Annotation] = []
    for point in chosen:
        text = axes.annotate(
            point.name,
            (point.seconds, point.quality),
            xytext=PLACES[0][:2],
            textcoords="offset points",
            fontsize="x-small",
            color=colors[point.series],
            parse_math=False,
        )
        free = False
        for x, y, align in PLACES:
            text.set_position((x, y))
            text.set_horizontalalignment(align)
            box = text.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            free = (
                inside
                and not any(box.overlaps(other.get_window_extent()) for other in written)
                and not box.count_contains(spots)
            )
            if free:
                break
        if free:
            written.append(text)
        else:
            text.remove()

"""The picture of a data set: popularity, activity, and ratings and times where there are any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import IntArray, Interactions
from src.reporting.palette import HUES
from src.reporting.pictures.canvas import make_figure, save_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# The share of items whose share of the interactions tells how long the tail is
HEAD = 0.2
# What spans more than this factor is shown on a logarithmic scale
LOGARITHMIC = 20
SECONDS_PER_DAY = 86400
# Timestamps between these are shown as dates, others as the numbers that they are
DATES = datetime(1980, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def draw_data(file: Path, name: str, data: Interactions) -> None:
    """Write what `data`, called `name`, looks like; the file's ending says in which format."""
    panels: list[Callable[[Axes], None]] = [
        partial(_draw_popularity, counts=np.bincount(data.items, minlength=data.n_items)),
        partial(_draw_activity, counts=np.bincount(data.users, minlength=data.n_users)),
    ]
    if data.ratings is not None and _has_several_values(data.ratings):
        panels.append(partial(_draw_ratings, ratings=data.ratings))
    if data.timestamps is not None and _has_several_values(data.timestamps):
        panels.append(partial(_draw_times, timestamps=data.timestamps))
    columns = 3 if len(panels) == 3 else 2
    rows = len(panels) // columns
    figure = make_figure(4.5 * columns, 0.5 + 3.3 * rows)
    for axes, panel in zip(figure.subplots(rows, columns).flat, panels, strict=True):
        panel(axes)
        style_axes(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
    figure.suptitle(f"{name}\n{_describe_size(data)}", fontsize="medium")
    save_figure(figure, file)


def _has_several_values(values: NDArray[Any]) -> bool:
    """Tell whether not all values are equal."""
    return bool(values.min() < values.max())


def _describe_size(data: Interactions) -> str:
    """Return how many users, items and interactions there are, in a line."""
    n, n_users, n_items = len(data), data.n_users, data.n_items
    return (
        f"{n_users:,} users, {n_items:,} items, {n:,} interactions: "
        f"{_format_mean(n, n_users)} per user, "
        f"{_format_mean(n, n_items)} per item, {100 * n / (n_users * n_items):.2g} % of all pairs"
    )


def _format_mean(total: int, number: int) -> str:
    """Return total / number, with a digit behind the point where it is small."""
    mean = total / number
    return f"{mean:,.0f}" if mean >= 10 else f"{mean:.1f}"


def _draw_popularity(axes: Axes, counts: IntArray) -> None:
    """Draw the interactions of each item, the most popular first."""
    counts = np.sort(counts)[::-1]
    n_head = max(1, round(HEAD * len(counts)))
    share = counts[:n_head].sum() / counts.sum()
    label = f"{100 * HEAD:.0f} % of the items, {100 * share:.0f} % of the interactions"
    # some may have interactions in a part of the data that is not shown
    seen = counts[counts > 0]
    axes.plot(1 + np.arange(len(seen)), seen, color=HUES[1], marker=".", markersize=3)
    axes.axvline(n_head, color="0.4", ls="--", lw=1, label=label)
    axes.set_xlabel("item, by rank of popularity")
    axes.set_ylabel("interactions")
    _set_scale(axes, "x", 1, len(counts))
    # above the curve, room for the legend
    axes.set_ylim(top=seen[0] * (4 if _set_scale(axes, "y", seen[-1], seen[0]) else 1.25))


def _draw_activity(axes: Axes, counts: IntArray) -> None:
    """Draw how many users have how many interactions."""
    low, high, median = counts.min(), counts.max(), np.median(counts)
    if _set_scale(axes, "x", low, high):
        edges = np.geomspace(max(low, 1), high + 1, 31)
    else:
        edges = np.linspace(low, high + 1, 31)
    # bins of whole numbers, so that none is empty because no whole number lies in it
    bins = (np.unique(edges.round()) - 0.5).tolist()
    axes.hist(counts, bins, color=HUES[0], alpha=0.7)
    axes.axvline(median, color="0.4", ls="--", lw=1, label=f"median {median:g}")
    axes.set_xlabel("interactions of a user")
    axes.set_ylabel("users")
    _set_scale(axes, "y", 1, 1)


def _draw_ratings(axes: Axes, ratings: NDArray[np.float32]) -> None:
    """Draw how often each rating was given."""
    values, counts = np.unique(ratings, return_counts=True)
    if len(values) <= 20:
        axes.bar(values, counts, 0.8 * np.diff(values).min(), color="0.4", alpha=0.7)
    else:
        axes.hist(ratings, 30, color="0.4", alpha=0.7)
    axes.set_xlabel(f"rating (mean {ratings.mean(dtype=np.float64):.2f})")
    axes.set_ylabel("interactions")
    _set_scale(axes, "y", 1, 1)


def _draw_times(axes: Axes, timestamps: NDArray[np.int64]) -> None:
    """Draw how many interactions there were at which time."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date

    first, last = timestamps.min(), timestamps.max()
    dated = DATES[0] <= first and last < DATES[1]
    times = timestamps / SECONDS_PER_DAY if dated else timestamps
    bins = int(np.clip(len(times) ** 0.5, 5, 40))
    axes.hist(times, bins, color="0.4", alpha=0.7)
    if dated:
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
        axes.tick_params(axis="x", labelsize="small")
        days = [f"{num2date(day):%Y-%m-%d}" for day in (times.min(), times.max())]
        axes.set_xlabel(" to ".join(days))
    else:
        axes.set_xlabel("timestamp")
    axes.set_ylabel("interactions")
    _set_scale(axes, "y", 1, 1)


def _set_scale(axes: Axes, which: Literal["x", "y"], low: int, high: int) -> bool:
    """Set ticks at whole numbers for values from `low` to `high`; return whether logarithmic."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    factor = high / max(low, 1)
    axis: Axis = getattr(axes, f"{which}axis")
    if factor > LOGARITHMIC:
        axes.set(**{f"{which}scale": "log"})
        axis.set_major_locator(LogLocator(subs=(1,) if factor > 100 else (1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return factor > LOGARITHMIC

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
    """Writes what `data`, called `name`, looks like; the file's ending says in which format."""
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure

    panels: list[Callable[[Axes], None]] = [
        partial(_popularity, counts=np.bincount(data.items, minlength=data.n_items)),
        partial(_activity, counts=np.bincount(data.users, minlength=data.n_users)),
    ]
    if data.ratings is not None and _differ(data.ratings):
        panels.append(partial(_ratings, ratings=data.ratings))
    if data.timestamps is not None and _differ(data.timestamps):
        panels.append(partial(_times, timestamps=data.timestamps))
    columns = 3 if len(panels) == 3 else 2
    rows = len(panels) // columns
    figure = Figure(figsize=(4.5 * columns, 0.5 + 3.3 * rows), layout="constrained")
    for axes, panel in zip(figure.subplots(rows, columns).flat, panels, strict=True):
        panel(axes)
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
    figure.suptitle(f"{name}\n{_facts(data)}", fontsize="medium")
    figure.savefig(file, dpi=120)


def _differ(values: NDArray[Any]) -> bool:
    return bool(values.min() < values.max())


def _facts(data: Interactions) -> str:
    n, n_users, n_items = len(data), data.n_users, data.n_items
    return (
        f"{n_users:,} users, {n_items:,} items, {n:,} interactions: {_mean(n, n_users)} per user, "
        f"{_mean(n, n_items)} per item, {100 * n / (n_users * n_items):.2g} % of all pairs"
    )


def _mean(total: int, number: int) -> str:
    mean = total / number
    return f"{mean:,.0f}" if mean >= 10 else f"{mean:.1f}"


def _popularity(axes: Axes, counts: IntArray) -> None:
    """Interactions of each item, the most popular first."""
    counts = np.sort(counts)[::-1]
    n_head = max(1, round(HEAD * len(counts)))
    share = counts[:n_head].sum() / counts.sum()
    label = f"{100 * HEAD:.0f} % of the items, {100 * share:.0f} % of the interactions"
    # some may have interactions in a part of the data that is not shown
    seen = counts[counts > 0]
    axes.plot(1 + np.arange(len(seen)), seen, color="C1", marker=".", markersize=3)
    axes.axvline(n_head, color="0.4", ls="--", lw=1, label=label)
    axes.set_xlabel("item, by rank of popularity")
    axes.set_ylabel("interactions")
    _scale(axes, "x", 1, len(counts))
    # above the curve, room for the legend
    axes.set_ylim(top=seen[0] * (4 if _scale(axes, "y", seen[-1], seen[0]) else 1.25))


def _activity(axes: Axes, counts: IntArray) -> None:
    """How many users have how many interactions."""
    low, high, median = counts.min(), counts.max(), np.median(counts)
    if _scale(axes, "x", low, high):
        edges = np.geomspace(max(low, 1), high + 1, 31)
    else:
        edges = np.linspace(low, high + 1, 31)
    # bins of whole numbers, so that none is empty for want of any
    bins = (np.unique(edges.round()) - 0.5).tolist()
    axes.hist(counts, bins, color="C0", alpha=0.7)
    axes.axvline(median, color="0.4", ls="--", lw=1, label=f"median {median:g}")
    axes.set_xlabel("interactions of a user")
    axes.set_ylabel("users")
    _scale(axes, "y", 1, 1)


def _ratings(axes: Axes, ratings: NDArray[np.float32]) -> None:
    values, counts = np.unique(ratings, return_counts=True)
    if len(values) <= 20:
        axes.bar(values, counts, 0.8 * np.diff(values).min(), color="0.4", alpha=0.7)
    else:
        axes.hist(ratings, 30, color="0.4", alpha=0.7)
    axes.set_xlabel(f"rating (mean {ratings.mean(dtype=np.float64):.2f})")
    axes.set_ylabel("interactions")
    _scale(axes, "y", 1, 1)


def _times(axes: Axes, timestamps: NDArray[np.int64]) -> None:
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
    _scale(axes, "y", 1, 1)


def _scale(axes: Axes, which: Literal["x", "y"], low: int, high: int) -> bool:
    """Ticks at whole numbers for values from `low` to `high`; returns whether logarithmic."""
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

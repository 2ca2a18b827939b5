"""The picture of interactions as a bipartite graph: users on the left, items on the right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from src.data.interactions import IntArray, Interactions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection

# More nodes in a column would make a tangle of edges
Nodes = Annotated[int, Ge(1), Le(20)]

INCHES_PER_NODE = 0.32
LONGEST_NAME = 22
# Areas of nodes in square points, by their share of the largest degree
SMALLEST, LARGEST = 30, 260


def draw_graph(
    file: Path, name: str, data: Interactions, users: Nodes = 12, items: Nodes = 15
) -> None:
    """Writes the graph of `data`, called `name`; the file's ending says in which format.

    Where there are more than `users` users or `items` items, a sample is drawn from the most to the
    least active, and the title says so. Edges show ratings by colour, where they differ.
    """
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import MaxNLocator

    left, right = _choose(data, users, items)
    part = data.take(np.isin(data.users, left) & np.isin(data.items, right))
    height = 1.6 + INCHES_PER_NODE * max(len(left), len(right))
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.1)
    figure = Figure(figsize=(7.5, height), layout=layout)
    axes = figure.subplots()
    edges = _draw_edges(axes, part, _heights(left, data.n_users), _heights(right, data.n_items))
    _draw_column(axes, "users", left, data.user_ids, data.users)
    _draw_column(axes, "items", right, data.item_ids, data.items)
    axes.margins(0.06, 0.3 / height)
    axes.set_axis_off()
    if edges.get_array() is not None:
        bar = figure.colorbar(
            edges,
            location="bottom",
            shrink=0.4,
            aspect=40,
            pad=0.3 / height,
            ticks=MaxNLocator(6, integer=True),
        )
        bar.set_label("rating", fontsize="small")
        bar.ax.tick_params(labelsize="small")
        bar.outline.set_visible(False)
    figure.suptitle(_title(name, data, part, left, right), fontsize="medium")
    figure.savefig(file, dpi=120)


def _choose(data: Interactions, n_users: int, n_items: int) -> tuple[IntArray, IntArray]:
    """Users and items to be shown, from top to bottom: all of them, or a sample.

    A sample is of users at equal steps from the most to the least active, and of their items from
    those that most of them share to those of a single one, at growing steps, because what many
    share is rare. So hardly any node is without an edge.
    """
    if data.n_users <= n_users and data.n_items <= n_items:
        return np.arange(data.n_users), np.arange(data.n_items)
    activity = np.bincount(data.users, minlength=data.n_users)
    by_activity = np.argsort(-activity, kind="stable")
    n_users = min(n_users, data.n_users)
    users = by_activity[np.linspace(0, data.n_users - 1, n_users).round().astype(int)]

    shared = np.bincount(data.items[np.isin(data.users, users)], minlength=data.n_items)
    popularity = np.bincount(data.items, minlength=data.n_items)
    n_shared = int(np.count_nonzero(shared))
    by_shared = np.lexsort((-popularity, -shared))[:n_shared]
    n_items = min(n_items, n_shared)
    places = np.geomspace(1, n_shared, n_items).round().astype(int) - 1
    # the first steps are of less than one place
    first = np.arange(n_items)
    items = by_shared[np.maximum.accumulate(places - first) + first]
    return users, items[np.argsort(-popularity[items], kind="stable")]


def _heights(shown: IntArray, n: int) -> NDArray[np.float64]:
    """Of every node [n] that is shown, the first on top; nan elsewhere."""
    heights = np.full(n, np.nan)
    heights[shown] = np.linspace(1, 0, len(shown)) if len(shown) > 1 else 0.5
    return heights


def _draw_edges(
    axes: Axes, part: Interactions, left: NDArray[Any], right: NDArray[Any]
) -> LineCollection:
    from matplotlib.collections import LineCollection

    ends = np.zeros((len(part), 2, 2))
    ends[:, 1, 0] = 1
    ends[:, 0, 1], ends[:, 1, 1] = left[part.users], right[part.items]
    edges = LineCollection(list(ends), linewidths=1.1, alpha=0.7, zorder=1)
    if part.ratings is not None and len(np.unique(part.ratings)) > 1:
        edges.set_array(part.ratings)
        edges.set_cmap("viridis_r")
    else:
        edges.set_color("0.6")
    axes.add_collection(edges)
    return edges


def _draw_column(
    axes: Axes, kind: str, shown: IntArray, ids: NDArray[Any], column: IntArray
) -> None:
    """Nodes with their raw ids, and beside these how often they are in the data's `column`."""
    x, color, outwards, align = (0, "C0", -1, "right") if kind == "users" else (1, "C1", 1, "left")
    heights = _heights(shown, len(ids))[shown]
    degrees = np.bincount(column, minlength=len(ids))
    sizes = SMALLEST + (LARGEST - SMALLEST) * degrees[shown] / degrees[shown].max()
    ones = np.ones(len(shown))
    axes.scatter(x * ones, heights, sizes, color, linewidths=0, zorder=2, clip_on=False)
    beside: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": align,
        "va": "center",
        "parse_math": False,
    }
    for node, height in zip(shown, heights, strict=True):
        name, degree = _shorten(str(ids[node])), f"({degrees[node]:,})"
        label = axes.annotate(
            name, (x, height), xytext=(14 * outwards, 0), fontsize="small", **beside
        )
        far, gap = (x, 0.5), (6 * outwards, 0)
        axes.annotate(degree, far, gap, label, fontsize="x-small", color="0.5", **beside)
    axes.annotate(
        kind,
        (x, heights.max()),
        xytext=(0, 16),
        textcoords="offset points",
        ha="center",
        color=color,
        weight="bold",
    )


def _title(
    name: str, data: Interactions, part: Interactions, left: IntArray, right: IntArray
) -> str:
    n_users, n_items = len(left), len(right)
    if (n_users, n_items) == (data.n_users, data.n_items):
        return (
            f"{name}: {n_users} users and {n_items} items with {len(data)} interactions\n"
            "(in brackets: how many each has)"
        )
    return (
        f"{name}: {n_users} of {data.n_users:,} users, {n_items} of {data.n_items:,} items, "
        f"{len(part)} of {len(data):,} interactions\n"
        "a sample from the most to the least active (in brackets: how many each has in all)"
    )


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

"""The picture of interactions as a bipartite graph: users on the left, items on the right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import IntArray, Interactions
from src.reporting.palette import HUES
from src.reporting.pictures.canvas import make_figure, save_figure
from src.reporting.pictures.node_sample import (
    Nodes,
    choose_nodes,
    describe_nodes,
    select_between,
    shorten,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

INCHES_PER_NODE = 0.32
# Areas of nodes in square points, by their share of the largest degree
SMALLEST, LARGEST = 30, 260


def draw_graph(
    file: Path, name: str, data: Interactions, users: Nodes = 12, items: Nodes = 15
) -> None:
    """Write the graph of `data`, called `name`; the file's ending says in which format.

    Where there are more than `users` users or `items` items, a sample is drawn from the most to the
    least active, and the title says so. Edges show ratings by colour, where they differ.
    """
    left, right = choose_nodes(data, users, items)
    part = select_between(data, left, right)
    height = 1.6 + INCHES_PER_NODE * max(len(left), len(right))
    figure = make_figure(7.5, height, w_pad=0.15, h_pad=0.1)
    axes = figure.subplots()
    edges = _draw_edges(
        axes, part, _place_nodes(left, data.n_users), _place_nodes(right, data.n_items)
    )
    _draw_column(axes, "users", left, data.user_ids, data.users)
    _draw_column(axes, "items", right, data.item_ids, data.items)
    axes.margins(0.06, 0.3 / height)
    axes.set_axis_off()
    if edges.get_array() is not None:
        _add_rating_bar(figure, edges, pad=0.3 / height)
    title = describe_nodes(name, data, part, (len(left), len(right)))
    figure.suptitle(f"{title}\n{_explain_brackets(data, left, right)}", fontsize="medium")
    save_figure(figure, file)


def _explain_brackets(data: Interactions, left: IntArray, right: IntArray) -> str:
    """Return the title's second line."""
    if (len(left), len(right)) == (data.n_users, data.n_items):
        return "(in brackets: how many each has)"
    return "a sample from the most to the least active (in brackets: how many each has in all)"


def _add_rating_bar(figure: Figure, edges: LineCollection, pad: float) -> None:
    """Add a bar below that says which colour is which rating."""
    from matplotlib.ticker import MaxNLocator

    bar = figure.colorbar(
        edges,
        location="bottom",
        shrink=0.4,
        aspect=40,
        pad=pad,
        ticks=MaxNLocator(6, integer=True),
    )
    bar.set_label("rating", fontsize="small")
    bar.ax.tick_params(labelsize="small")
    bar.outline.set_visible(False)


def _place_nodes(shown: IntArray, n: int) -> NDArray[np.float64]:
    """Return the height of every node [n] that is shown, the first on top; nan elsewhere."""
    heights = np.full(n, np.nan)
    heights[shown] = np.linspace(1, 0, len(shown)) if len(shown) > 1 else 0.5
    return heights


def _draw_edges(
    axes: Axes, part: Interactions, left: NDArray[Any], right: NDArray[Any]
) -> LineCollection:
    """Draw a line for each interaction, between the heights of its user and its item."""
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
    """Draw nodes with their raw ids, and beside these how often they are in the data's `column`."""
    x, color, outwards, align = (
        (0, HUES[0], -1, "right") if kind == "users" else (1, HUES[1], 1, "left")
    )
    heights = _place_nodes(shown, len(ids))[shown]
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
        name, degree = shorten(str(ids[node])), f"({degrees[node]:,})"
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

"""The matrices of a bipartite graph, as numbers and colours: adjacency, Laplacian, projections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from src.data.graph_matrices import (
    adjacency,
    item_projection,
    laplacian,
    normalized_adjacency,
    normalized_laplacian,
    user_projection,
)
from src.data.interactions import Interactions
from src.reporting.palette import HUES
from src.reporting.pictures.canvas import make_figure, save_figure
from src.reporting.pictures.node_sample import (
    Nodes,
    choose_nodes,
    describe_nodes,
    renumber,
    shorten,
)
from src.reporting.wording import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Larger matrices are shown by colour alone, and not printed
MOST_NUMBERS = 12
COLUMNS = 3
PANEL_INCHES = 4.6
# What is left of a panel for its cells, beside their names
CELLS_INCHES = 3.5
POINTS_PER_INCH = 72
LONGEST_NAME = 10
USERS, ITEMS = HUES[:2]


@dataclass(frozen=True)
class GraphMatrix:
    """One matrix of the graph, with what its rows and columns are called."""

    name: str
    formula: str
    """For mathtext, or in words."""
    values: NDArray[np.float64]
    """[n, n], symmetric."""
    names: list[str]
    """[n]: users, then items, or one of them."""
    n_users: int

    @property
    def is_small(self) -> bool:
        """Whether there is room for its numbers."""
        return len(self.values) <= MOST_NUMBERS


def draw_matrices(
    file: Path, name: str, data: Interactions, users: Nodes = 12, items: Nodes = 15
) -> None:
    """Write the six matrices of the graph of `data`, called `name`, and print the small ones.

    Where there are more than `users` users or `items` items, the matrices are those of a sample
    from the most to the least active, and the title says so.
    """
    left, right = choose_nodes(data, users, items)
    part = renumber(data, left, right)
    matrices = list_matrices(part)
    figure = make_figure(
        COLUMNS * PANEL_INCHES, len(matrices) / COLUMNS * PANEL_INCHES + 0.5, w_pad=0.1, h_pad=0.1
    )
    places = figure.subplots(len(matrices) // COLUMNS, COLUMNS)
    for axes, matrix in zip(places.flat, matrices, strict=True):
        _draw_matrix(axes, matrix)
    title = describe_nodes(name, data, part, (len(left), len(right)))
    if (len(left), len(right)) != (data.n_users, data.n_items):
        title += "\na sample from the most to the least active; matrices of the sample only"
    figure.suptitle(title, fontsize="large")
    save_figure(figure, file)
    small = [matrix for matrix in matrices if matrix.is_small]
    if small:
        print(f"{title}\n")
    for matrix in small:
        print(f"{matrix.name}\n{write_matrix(matrix)}\n")


def list_matrices(data: Interactions) -> list[GraphMatrix]:
    """Return the six matrices of the graph, in the order of the panels."""
    users = [shorten(str(raw), LONGEST_NAME) for raw in data.user_ids]
    items = [shorten(str(raw), LONGEST_NAME) for raw in data.item_ids]
    plain = adjacency(data)
    found = [
        ("adjacency", "$A$", plain, [*users, *items]),
        ("Laplacian", "$L = D - A$", laplacian(plain), [*users, *items]),
        ("user projection", "items in common", user_projection(data), users),
        (
            "normalized adjacency",
            "$D^{-1/2} A D^{-1/2}$",
            normalized_adjacency(plain),
            [*users, *items],
        ),
        (
            "normalized Laplacian",
            "$I - D^{-1/2} A D^{-1/2}$",
            normalized_laplacian(plain),
            [*users, *items],
        ),
        ("item projection", "users in common", item_projection(data), items),
    ]
    return [
        GraphMatrix(name, formula, matrix.toarray(), names, 0 if names is items else len(users))
        for name, formula, matrix, names in found
    ]


def write_matrix(matrix: GraphMatrix) -> str:
    """Return the matrix as lines of text, with the names of its rows and columns."""
    import pandas as pd

    entries = [[write_entry(value) for value in row] for row in matrix.values]
    return pd.DataFrame(entries, matrix.names, matrix.names).to_string()


def write_entry(value: float) -> str:
    """Return a whole number as such, and others with two digits: "−1", ".58"."""
    return decimal(value, 0 if float(value).is_integer() else 2)


def _draw_matrix(axes: Axes, matrix: GraphMatrix) -> None:
    """Draw a panel: colours from red below zero to blue above, numbers where there is room."""
    values = matrix.values
    n, most = len(values), float(np.abs(values).max()) or 1.0
    # the colours of a matrix that has no negative number are those of the blue half
    colors = axes.imshow(values, "RdBu", vmin=-1.4 * most, vmax=1.4 * most)
    axes.set_title(matrix.name, weight="bold", fontsize="medium")
    axes.set_xlabel(matrix.formula)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.85", lw=0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    if 0 < matrix.n_users < n:
        for draw in (axes.axhline, axes.axvline):
            draw(matrix.n_users - 0.5, color="0.3", lw=1.2)
    _name_nodes(axes, matrix)
    if matrix.is_small:
        _write_entries(axes, values)
    else:
        low, high = float(values.min()), float(values.max())
        bar = axes.figure.colorbar(colors, ax=axes, shrink=0.6, pad=0.02)
        bar.ax.set_ylim(low, high)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)


def _name_nodes(axes: Axes, matrix: GraphMatrix) -> None:
    """Write the nodes' names beside rows and above columns, in the colours of users and items."""
    size = min(9, 0.75 * POINTS_PER_INCH * CELLS_INCHES / len(matrix.names))
    places = range(len(matrix.names))
    style: dict[str, Any] = {"fontsize": size, "parse_math": False}
    axes.xaxis.tick_top()
    axes.set_yticks(places, matrix.names, **style)
    axes.set_xticks(places, matrix.names, rotation=90, **style)
    for axis in (axes.xaxis, axes.yaxis):
        for place, label in enumerate(axis.get_ticklabels()):
            label.set_color(USERS if place < matrix.n_users else ITEMS)


def _write_entries(axes: Axes, values: NDArray[np.float64]) -> None:
    """Write each number into its cell, zeros in grey."""
    size = min(10, 0.33 * POINTS_PER_INCH * CELLS_INCHES / len(values))
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        axes.text(
            column,
            row,
            write_entry(value),
            ha="center",
            va="center",
            fontsize=size,
            color="0.65" if value == 0 else "black",
        )

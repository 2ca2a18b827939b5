"""The differences between any two configurations, as a matrix that says which are significant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from src.reporting.pictures.canvas import PAGE_DPI, make_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_PER_CELL = 0.58
# Fewer cells leave no room for a colour bar, and their numbers say it all
FEWEST_WITH_BAR = 5
INCHES_PER_LETTER = 0.078


def draw_differences(
    file: Path, names: Sequence[str], differences: NDArray[Any], passed: NDArray[Any], label: str
) -> float:
    """Write the differences [n, n], row minus column, and return the picture's width in inches.

    `passed` [n, n]: how many of the two tests find each significant: coloured where both do, black
    on white where one does, grey where none does.
    """
    n = len(names)
    longest = INCHES_PER_LETTER * max(map(len, names))
    side, barred = INCHES_PER_CELL * n, n >= FEWEST_WITH_BAR
    width = side + longest + (1.45 if barred else 0.55)
    # names of columns are aslant
    figure = make_figure(width, side + 0.4 + 0.75 * longest)
    axes = figure.subplots()
    most = float(np.abs(differences).max()) or 1.0
    image = axes.imshow(
        differences, "PuOr", vmin=-most, vmax=most, alpha=(passed == 2).astype(float)
    )
    _write_numbers(axes, differences, passed, most)
    _name_cells(axes, names)
    if barred:
        bar = figure.colorbar(image, shrink=0.6, pad=0.02)
        bar.set_label(label, fontsize=9)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
    save_figure(figure, file, PAGE_DPI)
    return width


def _write_numbers(
    axes: Axes, differences: NDArray[Any], passed: NDArray[Any], most: float
) -> None:
    """Write each difference into its cell, and fill the cells of the diagonal."""
    from matplotlib.patches import Rectangle

    # four digits of what is small, as in the table
    digits = 4 if np.abs(differences).max() < 0.0995 else 3
    for row, column in np.ndindex(differences.shape):
        if row == column:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color="0.93", lw=0))
            continue
        strong = passed[row, column] == 2
        dark = strong and abs(differences[row, column]) > 0.6 * most
        axes.text(
            column,
            row,
            f"{differences[row, column]:+.{digits}f}".replace("0.", ".").replace("-", "−"),
            ha="center",
            va="center",
            fontsize=8,
            weight="bold" if strong else "normal",
            color="white" if dark else "black" if passed[row, column] else "0.6",
        )


def _name_cells(axes: Axes, names: Sequence[str]) -> None:
    """Write the names beside rows and below columns, and draw lines between the cells."""
    n = len(names)
    axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(n), names, fontsize=9)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.85", lw=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)

"""What all pictures share: figures that need no display, plain axes, and how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches. As wide as a phone's screen is, so that letters can be read there
WIDTH, HEIGHT = 5.2, 3.4
# Pixels per inch: of pictures that are opened by themselves, and of those on a page
DPI, PAGE_DPI = 120, 160


def make_figure(
    width: float, height: float, w_pad: float | None = None, h_pad: float | None = None
) -> Figure:
    """Return an empty figure of so many inches, in which nothing will overlap.

    `w_pad` and `h_pad` are the inches around each of its axes, where Matplotlib's own are too few.
    """
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=w_pad, h_pad=h_pad)
    return Figure(figsize=(width, height), layout=layout)


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return a figure with one pair of plain axes."""
    figure = make_figure(width, height)
    axes = figure.subplots()
    style_axes(axes)
    return figure, axes


def style_axes(axes: Axes) -> None:
    """Give axes a pale grid behind what is drawn, and lines at the left and below only."""
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, file: Path, dpi: int = DPI) -> None:
    """Write the figure; the file's ending says in which format."""
    figure.savefig(file, dpi=dpi)

"""The lines of a comparison, by epoch and by cutoff, and how each configuration looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from src.reporting.palette import model_colors
from src.reporting.pictures.canvas import HEIGHT, PAGE_DPI, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES_PER_NAME = 0.19
# A name longer than this has a line of the legend to itself
HALF_A_LINE = 30
# The configurations of one model are told apart by lightness and dashes
PALEST = 0.6
DASHES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))


@dataclass(frozen=True)
class Style:
    """How a configuration looks in every picture."""

    color: str
    dash: Any


def choose_styles(models: Mapping[str, str]) -> dict[str, Style]:
    """Return the look of each configuration in `models`, by the name of its model.

    A model has a hue, and its configurations have shades of it.
    """
    from matplotlib.colors import to_hex, to_rgb

    hues = model_colors(models.values())
    given: dict[str, Style] = {}
    for model, hue in hues.items():
        names = [name for name, its in models.items() if its == model]
        for i, name in enumerate(names):
            paleness = PALEST * i / max(len(names) - 1, 1)
            red, green, blue = (c + (1 - c) * paleness for c in to_rgb(hue))
            color = to_hex((red, green, blue))
            given[name] = Style(color, DASHES[i % len(DASHES)])
    return given


def draw_epochs(
    file: Path,
    epochs: pd.DataFrame,
    column: Literal["metric", "loss"],
    label: str,
    looks: Mapping[str, Style],
) -> None:
    """Write lines by epoch: the mean over seeds as far as all got, with a band from least to most.

    Where early stopping left fewer seeds, each goes on by itself, thin. The metric of a model
    fitted in one go is a level line.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _make_figure(looks)
    for name, table in epochs.dropna(subset=[column]).groupby("configuration", sort=False):
        style = looks[str(name)]
        by_seed = table.pivot(index="epoch", columns="seed", values=column)
        if len(by_seed) == 1:
            if column == "metric":
                axes.axhline(by_seed.iloc[0].mean(), color=style.color, ls=style.dash, lw=1)
            continue
        shared = by_seed.dropna()
        _draw_line(axes, shared, style)
        for seed in by_seed if len(shared.columns) > 1 else ():
            own = by_seed[seed].loc[shared.index.max() if len(shared) else 0 :]
            axes.plot(own.index, own, color=style.color, ls=style.dash, lw=0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel=label, xlim=(1, epochs["epoch"].max()))
    _add_legend(figure, looks)
    save_figure(figure, file, PAGE_DPI)


def draw_cutoffs(
    file: Path, table: pd.DataFrame, column: str, label: str, looks: Mapping[str, Style]
) -> None:
    """Write lines by cutoff k: the mean over seeds, with a band from least to most."""
    figure, axes = _make_figure(looks)
    for name, part in table.groupby("configuration", sort=False):
        by_seed = part.pivot(index="k", columns="seed", values=column)
        _draw_line(axes, by_seed, looks[str(name)])
    axes.set(xlabel="K", ylabel=label, xticks=sorted(table["k"].unique()))
    _add_legend(figure, looks)
    save_figure(figure, file, PAGE_DPI)


def draw_groups(
    file: Path,
    table: pd.DataFrame,
    column: str,
    label: str,
    groups: Mapping[str, str],
    looks: Mapping[str, Style],
) -> None:
    """Write lines over groups in the order given: the mean over seeds, with a band.

    `groups`: what each is called; those that the table has not are left out.
    """
    figure, axes = _make_figure(looks)
    there = [group for group in groups if group in set(table["group"])]
    for name, part in table.groupby("configuration", sort=False):
        style = looks[str(name)]
        by_seed = part.pivot(index="group", columns="seed", values=column).reindex(there)
        by_seed.index = pd.RangeIndex(len(there))
        _draw_line(axes, by_seed, style)
        axes.plot(by_seed.index, by_seed.mean(axis=1), "o", ms=4, color=style.color)
    axes.set_xticks(range(len(there)), [groups[group] for group in there])
    axes.set(ylabel=label)
    axes.margins(x=0.06)
    _add_legend(figure, looks)
    save_figure(figure, file, PAGE_DPI)


def count_legend_columns(names: Sequence[str]) -> int:
    """Return 2 where two of the longest names fit beside each other, else 1."""
    return 2 if len(names) > 1 and max(map(len, names)) <= HALF_A_LINE else 1


def _make_figure(looks: Mapping[str, Style]) -> tuple[Figure, Axes]:
    """Return a figure with room for a legend of all names below its axes."""
    lines = np.ceil(len(looks) / count_legend_columns(list(looks)))
    return new_figure(height=HEIGHT + INCHES_PER_NAME * float(lines))


def _draw_line(axes: Axes, by_seed: pd.DataFrame, style: Style) -> None:
    """Draw the mean [x] of by_seed [x, seeds], with its band."""
    x = by_seed.index
    axes.plot(x, by_seed.mean(axis=1), color=style.color, ls=style.dash, lw=1.6)
    if len(by_seed.columns) > 1:
        low, high = by_seed.min(axis=1), by_seed.max(axis=1)
        axes.fill_between(x, low, high, color=style.color, alpha=0.15, lw=0)


def _add_legend(figure: Figure, looks: Mapping[str, Style]) -> None:
    """Name every configuration, whether drawn as a line, a level or not at all."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=style.color, ls=style.dash, label=name)
        for name, style in looks.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=count_legend_columns(list(looks)),
        fontsize="small",
        frameon=False,
        handlelength=2.6,
    )

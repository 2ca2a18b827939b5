"""By how much every number of ours differs from the published one, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from src.papers.exhibits import PROTOCOL_LABELS
from src.papers.reproduction import METRIC_LABELS, ExhibitResult
from src.papers.table_text import WORDS, ComparedNumber, format_published, list_numbers
from src.reporting.pictures.canvas import PAGE_DPI, make_figure, save_figure, style_axes
from src.reporting.wording import decimal

COLORS = {"within": "#4c78a8", "above": "#2f8f4e", "below": "#c44e52"}
# Inches a row, and around all rows
ROW, AROUND = 0.17, 1.4


def draw_differences(file: Path, results: Sequence[ExhibitResult]) -> Path | None:
    """Write a panel a metric and protocol, a row a number, sorted by difference.

    Return the file, or None without any number to show.
    """
    numbers = list_numbers(results)
    panels = {
        (metric, protocol): rows
        for protocol in PROTOCOL_LABELS
        for metric in METRIC_LABELS
        if (rows := [one for one in numbers if (one.metric, one.protocol) == (metric, protocol)])
    }
    if not panels:
        return None
    protocols = list(dict.fromkeys(protocol for _, protocol in panels))
    longest = [max(len(panels[metric, one]) for metric in METRIC_LABELS) for one in protocols]
    figure = make_figure(11, AROUND + ROW * sum(longest))
    grid = figure.subplots(
        len(protocols),
        2,
        squeeze=False,
        height_ratios=longest,
    )
    for axes_of_row, protocol in zip(grid, protocols, strict=True):
        for axes, (metric, label) in zip(axes_of_row, METRIC_LABELS.items(), strict=True):
            rows = panels[metric, protocol]
            style_axes(axes)
            axes.axvline(0, color="black", lw=1)
            for place, number in enumerate(rows):
                verdict = number.difference.verdict
                axes.errorbar(
                    number.difference.value,
                    place,
                    xerr=number.tolerance,
                    fmt="o",
                    ms=3.5,
                    elinewidth=0.8,
                    color=COLORS[verdict],
                )
            axes.set_yticks(range(len(rows)), [_name(number) for number in rows], fontsize=6)
            axes.set_ylim(-1, len(rows))
            axes.set_title(f"{label}, {PROTOCOL_LABELS[protocol]}", fontsize="small")
            axes.set_xlabel("ours minus published", fontsize="small")
    marks = [
        figure.axes[0].plot([], [], "o", ms=4, color=COLORS[verdict], label=words)[0]
        for verdict, words in WORDS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, file, PAGE_DPI)
    return file


def _name(number: ComparedNumber) -> str:
    """Return what the row is of: "NeuMF, pre-trained, factors 8 (table2)  .684 → .6740"."""
    name = f"{number.label} ({number.result.exhibit.name})"
    return f"{name}  {format_published(number.published)} → {decimal(number.ours)}"

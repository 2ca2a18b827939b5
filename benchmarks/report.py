"""The measured rows as a table on the terminal, in docs/performance.md, and as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from rich.table import Table

from benchmarks.rows import Row
from src.papers.markdown import fill_mark
from src.run.provenance import machine

mpl.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"
OTHERS = {
    "torch": "steps by torch",
    "plain": "vectorized loop",
    "per_sample": "sample by sample",
    "recbole": "RecBole 1.2.1",
    "cornac": "Cornac 3.0.1",
}


def headings(others: list[str]) -> list[str]:
    """Of the columns that `cells` fills."""
    return ["", "target", "here, median", "range", *(OTHERS[name] for name in others)]


def others_of(rows: list[Row]) -> list[str]:
    """Who was measured beside us, in the order of OTHERS."""
    return [name for name in OTHERS if any(name in row.measured.others for row in rows)]


def cells(row: Row, others: list[str]) -> list[str]:
    """One row of a table; for others, how many times as long they took."""
    ours = row.measured.ours
    return [
        row.what,
        _number(row.target, row.unit),
        _number(row.measured.median, row.unit),
        f"{_number(min(ours))} to {_number(max(ours))}",
        *(
            f"{row.measured.ratio(name):.1f} ×" if name in row.measured.others else ""
            for name in others
        ),
    ]


def table(rows: list[Row]) -> Table:
    """For the terminal."""
    others = others_of(rows)
    shown = Table(*headings(others))
    for row in rows:
        shown.add_row(*cells(row, others))
    return shown


def write(rows: list[Row], name: str, measured: str) -> None:
    """Puts the table, below when it was `measured`, between the marks of that name in the docs."""
    others = others_of(rows)
    columns = headings(others)
    lines = [
        f"Measured {measured}: {machine()}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(cells(row, others))} |" for row in rows),
    ]
    fill_mark(DOCS / "performance.md", name, lines)


def draw(rows: list[Row]) -> None:
    """docs/performance.png: how many times longer the usual ways take."""
    compared = [row for row in rows if row.measured.others][::-1]
    figure, axes = plt.subplots(figsize=(8, 0.7 * len(compared) + 1.4))
    for shift, (name, label, color) in zip(
        (0.27, 0, -0.27),
        (
            ("torch", OTHERS["torch"], "#72b7b2"),
            ("plain", OTHERS["plain"], "#4c78a8"),
            ("per_sample", OTHERS["per_sample"], "#e45756"),
        ),
        strict=True,
    ):
        places = [i for i, row in enumerate(compared) if name in row.measured.others]
        ratios = [compared[i].measured.ratio(name) for i in places]
        bars = axes.barh([i + shift for i in places], ratios, 0.25, color=color, label=label)
        axes.bar_label(bars, [f"{ratio:.1f}×" for ratio in ratios], padding=3, fontsize=9)
    axes.set_yticks(range(len(compared)), [row.what for row in compared])
    axes.axvline(1, color="#444", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(left=0.8)
    axes.margins(x=0.15)
    axes.set_xlabel("times as long as here")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(DOCS / "performance.png", dpi=130)
    plt.close(figure)


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".strip()

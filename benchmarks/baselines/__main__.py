"""`make baselines`: every model on the released MovieLens-1M, and those that know the order.

A row is one command, `python -m src.train experiment=ncf-ml-1m/NAME protocol=leave-one-out-latest`,
with three seeds where chance has a part. They are jobs of sweeps, so that a second call makes only
what is missing. `python -m benchmarks.baselines ease ml-1m/sasrec archive=FOLDER` makes
some rows; the archive is a MovieLens-1M folder with times, for a released split that has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.baselines.pictures import draw_estimates, draw_speed
from benchmarks.baselines.rows import RELEASED, WITH_ORDER, make_missing, read
from benchmarks.baselines.tables import (
    PUBLISHED,
    format_errors,
    format_significance,
    format_table,
)
from benchmarks.commands import run_main
from src.papers.markdown import fill_mark

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(words: Sequence[str]) -> None:
    """Make what is missing, then the tables and the pictures of all that is there."""
    archive = next((word.split("=", 1)[1] for word in words if word.startswith("archive=")), None)
    names = [word for word in words if "=" not in word]
    make_missing(names, archive)
    page = DOCS / "baselines.md"
    released, with_order = read(RELEASED, archive), read(WITH_ORDER, archive)
    fill_mark(page, RELEASED, format_table(released, PUBLISHED))
    fill_mark(page, WITH_ORDER, format_table(with_order, {}))
    draw_speed(released, DOCS / "baselines.png")
    draw_speed(with_order, DOCS / "baselines-order.png")
    fill_mark(page, "significance", format_significance(released))
    fill_mark(page, "estimates", format_errors(released))
    draw_estimates(released, DOCS / "estimates.png")


if __name__ == "__main__":
    run_main(main)

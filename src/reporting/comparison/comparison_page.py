"""The comparison of runs as one self-contained page, with its pictures and numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.reporting.comparison.configurations import configurations
from src.reporting.comparison.header import facts, notes, unfinished
from src.reporting.comparison.measures import Comparison, Measure, runs_table
from src.reporting.comparison.picture_sections import Album
from src.reporting.comparison.section import Section, quality_label, reading, write_table
from src.reporting.pages import write_html
from src.reporting.wording import seconds, whole, with_sd
from src.tracking.reading import Reader, Record

TEMPLATE = "comparison.html.j2"


@dataclass(frozen=True)
class Cell:
    text: str
    order: float
    """What the column is sorted by."""
    best: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    label: str
    """In full, where the name is short."""
    chosen: bool
    n: int
    """Seeds."""
    cells: list[Cell]


def write_report(reader: Reader, records: Sequence[Record], title: str, page: Path) -> list[Path]:
    """Writes `page`, and into a folder of its name PNG and CSV files; returns all of them.

    Compares the finished ones of `records`; lists the others with their errors. Shows what there
    is: runs may lack any file or metric.
    """
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(configurations(records))
    failed = unfinished(records)
    sections: list[Section] = []
    files: list[Path] = []
    if comparison.configurations:
        files = [
            write_table(folder / "configurations.csv", comparison.table()),
            write_table(folder / "runs.csv", runs_table(comparison)),
        ]
        sections = Album(reader, comparison, folder).sections()
    if failed:
        files.append(write_table(folder / "not-finished.csv", pd.DataFrame(failed)))
    files += [file for section in sections for file in section.every_file()]
    measures = comparison.measures()
    write_html(
        page,
        "src.reporting.comparison",
        TEMPLATE,
        title=title,
        reading=reading(comparison),
        facts=facts(comparison, failed),
        notes=notes(comparison, records),
        unfinished=failed,
        measures=measures,
        rows=_rows(comparison, measures),
        quality=quality_label(comparison),
        chosen=comparison.chosen,
        comparable=comparison.comparable,
        sections=sections,
        files=files,
    )
    return [page, *files]


def _rows(comparison: Comparison, measures: Sequence[Measure]) -> list[Row]:
    best = {m.name: _best(comparison, m) for m in measures}
    rows = []
    for one in comparison.configurations:
        cells = []
        for measure in measures:
            value = measure.of(one)
            if value is None:
                cells.append(Cell("", float("-inf")))
            else:
                sd = one.sd(measure.name)
                text = _written(measure, value, sd)
                cells.append(Cell(text, value, best=text.split(" ±")[0] == best[measure.name]))
        label = "" if one.mark == one.label else one.label
        rows.append(Row(one.mark, label, one is comparison.chosen, len(one.runs), cells))
    return rows


def _best(comparison: Comparison, measure: Measure) -> str | None:
    """The best mean of the column as written; None where there is none to be told."""
    values = [value for one in comparison.configurations if (value := measure.of(one)) is not None]
    if not measure.better or not comparison.comparable or len(values) < 2:
        return None
    return _written(measure, (max if measure.better > 0 else min)(values), None)


def _written(measure: Measure, value: float, sd: float | None) -> str:
    if measure.spread:
        return with_sd(value, sd)
    return seconds(value) if measure.name == "fit/seconds" else whole(value)

"""The table of a comparison as one would print it: quality on test, and which of it stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.errors import UserError
from src.evaluation.catalogue import part_of
from src.evaluation.significance import LEVEL
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import Configuration
from src.reporting.comparison.header import list_facts
from src.reporting.comparison.pairs import Pairs, compare_pairs
from src.reporting.comparison.tables import TableColumn, list_columns
from src.reporting.wording import decimal
from src.tracking.reading import Reader

FIRST, SECOND = 1, 2
DAGGER = "†"


@dataclass(frozen=True)
class PrintedCell:
    """One configuration's mean in one column."""

    mean: str = ""
    sd: str = ""
    """The standard deviation over seeds; "" for one seed."""
    place: int = 0
    """FIRST for the best of the column, SECOND for the next, 0 for all others."""
    differs: bool = False
    """Whether it is significantly different from the best."""


@dataclass(frozen=True)
class PrintedRow:
    """One configuration."""

    name: str
    cells: list[PrintedCell]


@dataclass(frozen=True)
class PrintedTable:
    """A table, and all that has to be said below it."""

    title: str
    heads: list[str]
    """Of all columns but the first, which has the names."""
    rows: list[PrintedRow]
    notes: list[str]
    """Sentences: which data and protocol, and what the marks mean."""


def make_printed_table(reader: Reader, comparison: Comparison, title: str) -> PrintedTable:
    """Make the table of all configurations. Raises UserError when no run has finished."""
    if not comparison.configurations:
        raise UserError(f"{title} has no finished run for a table")
    columns = [one for one in list_columns(comparison) if part_of(one.name) == "test"]
    tests = [_test(reader, comparison, column) for column in columns]
    cells = [_fill_column(comparison, *one) for one in zip(columns, tests, strict=True)]
    differ = len({one.knows for one in comparison.configurations}) > 1
    rows = [
        PrintedRow(
            f"{one.label} ({one.knows})" if differ else one.label, [column[i] for column in cells]
        )
        for i, one in enumerate(comparison.configurations)
    ]
    return PrintedTable(title, [one.title for one in columns], rows, _write_notes(comparison, rows))


def _test(reader: Reader, comparison: Comparison, column: TableColumn) -> Pairs | None:
    """Return the paired tests of a column; None where runs kept nothing by user."""
    return compare_pairs(reader, comparison, column.name.removeprefix("test/"))


def _fill_column(
    comparison: Comparison, column: TableColumn, tests: Pairs | None
) -> list[PrintedCell]:
    """Return the column's cells, in the order of the comparison."""
    found = comparison.configurations
    values = [column.value_of(one) for one in found]
    ordered = sorted({v for v in values if v is not None}, reverse=column.better > 0)
    places: dict[str, int] = {}
    if comparison.comparable and len(ordered) > 1:
        # as they are written: what looks the same has the same place
        written = dict.fromkeys(column.write(value, None) for value in ordered)
        places = dict(zip(written, (FIRST, SECOND), strict=False))
    best = found[values.index(ordered[0])]
    cells = []
    for one, value in zip(found, values, strict=True):
        if value is None:
            cells.append(PrintedCell())
            continue
        mean, sd = column.write(value, None), one.sd(column.name)
        differs = bool(places) and tests is not None and _differ(tests, best, one)
        cells.append(
            PrintedCell(mean, "" if sd is None else decimal(sd), places.get(mean, 0), differs)
        )
    return cells


def _differ(tests: Pairs, best: Configuration, one: Configuration) -> bool:
    """Tell whether both were tested, and both tests tell them apart."""
    marks = {best.mark, one.mark}
    return len(marks & tests.names) == 2 and tests.differ(best.mark, one.mark)


def _write_notes(comparison: Comparison, rows: Sequence[PrintedRow]) -> list[str]:
    """Return the sentences below the table."""
    said = [
        fact for fact in list_facts(comparison, []) if fact.name in ("Runs", "Data", "Protocol")
    ]
    notes = [f"{fact.name}: {fact.text}." for fact in said]
    cells = [cell for row in rows for cell in row.cells]
    if any(cell.sd for cell in cells):
        notes.append("Mean ± standard deviation over seeds.")
    if any(cell.place for cell in cells):
        notes.append("The best of each column is bold, the second underlined.")
    if not comparison.comparable:
        notes.append("Numbers of different data or protocols can't be compared: none is marked.")
    if any(cell.differs for cell in cells):
        notes.append(
            f"{DAGGER} differs from the best of its column: paired bootstrap and Wilcoxon tests "
            f"over users, both p < {decimal(LEVEL, 2)} after Holm's correction for all pairs."
        )
    return notes

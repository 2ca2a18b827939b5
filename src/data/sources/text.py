"""Delimited text: reading the columns wanted, and finding the line of a row at fault."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import pandas as pd

from src.data.sources.archives import open_unpacked
from src.data.sources.table import DECODING, Table
from src.errors import UserError, shorten


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text, separated by one character or "::"; `member` if in a .zip."""

    path: Path
    separator: str
    member: str | None = None

    def read(self, columns: Mapping[str, int | str], any_ids: bool = False) -> Table:
        """Read the columns wanted, by field: positions in a file without a header, or header names.

        `any_ids` keeps "user" and "item" as written; otherwise they have to be integers.
        Raises UserError for a file without rows or columns, or that is no such text.
        """
        header = any(isinstance(column, str) for column in columns.values())
        first = self.read_first_row()
        positions = {
            field: first.index(choose_column(column, first, str(self))) if header else int(column)
            for field, column in columns.items()
        }
        if max(positions.values()) >= len(first):
            raise UserError(
                f"{self}, line 1: {len(first)} columns when split at {self.separator!r}, "
                f"{1 + max(positions.values())} needed ({', '.join(columns)})"
            )
        # pandas' fast parser splits at one character: "::" is two of them, an empty column between
        step = len(self.separator)
        used = {field: position * step for field, position in positions.items()}
        try:
            with open_unpacked(self.path, self.member) as file, warnings.catch_warnings():
                # a column of two types: Table finds the first value that is wrong and says so
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                frame = pd.read_csv(
                    file,
                    engine="c",
                    sep=self.separator[0],
                    header=0 if header else None,
                    names=list(range(len(first) * step - step + 1)),
                    usecols=sorted(set(used.values())),
                    index_col=False,
                    dtype={used[f]: "category" for f in ("user", "item")} if any_ids else None,
                    na_values=[""],
                    keep_default_na=False,  # "NA" and "null" are ids like any other
                    encoding_errors=DECODING,
                )
        except (ValueError, OverflowError) as error:  # pandas' own errors are of the first kind
            raise UserError(f"{self} can't be parsed: {shorten(error, 120)}") from error
        if frame.empty:
            raise UserError(f"{self} has no rows below its header")
        table = Table(
            {field: frame[position] for field, position in used.items()},
            place=lambda row: f"{self}, {self._find_line(row + header)}",
        )
        if not any_ids:
            for field in ("user", "item"):
                table.columns[field] = pd.Series(table.integers(field))
        return table

    def read_first_row(self) -> list[str]:
        """Read the fields of the first line that is not blank: two at least."""
        line, fields = next(self._read_rows(), (0, []))
        if not fields:
            raise UserError(f"{self} is empty")
        if len(fields) == 1:
            raise UserError(
                f"{self}, line {line}: only one column when split at {self.separator!r}"
                f"{_suggest_separator(fields[0])}"
            )
        return fields

    def _find_line(self, row: int) -> str:
        """Find the line, from 1, on which the row (from 0, header counted) ends: "line 5".

        Where pandas counts other rows in a damaged file than Python, it is "row 5".
        """
        rows = enumerate(self._read_rows())
        return next((f"line {line}" for n, (line, _) in rows if n == row), f"row {row + 1}")

    def _read_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield lines and rows, without blank lines, which pandas leaves out too."""
        with open_unpacked(self.path, self.member) as file:
            text = io.TextIOWrapper(file, "utf-8-sig", errors=DECODING, newline="")
            reader = csv.reader(text, delimiter=self.separator[0])
            try:
                for row in reader:
                    if len(row) > 1 or (row and row[0].strip()):
                        joined = self.separator == "::"
                        yield reader.line_num, ":".join(row).split("::") if joined else row
            except csv.Error as error:
                raise UserError(f"{self} is no delimited text: {shorten(error)}") from error

    def __str__(self) -> str:
        return f"{self.member} in {self.path}" if self.member else str(self.path)


def choose_column(column: int | str, present: Sequence[str], name: str) -> str:
    """Return the column if it is `present`; otherwise raise UserError with the nearest names."""
    if column in present:
        return str(column)
    wanted = str(column).lower()
    names = sorted(present, key=lambda p: -SequenceMatcher(None, wanted, p.lower()).ratio())
    shown = shorten(", ".join(map(repr, names)), 120)
    raise UserError(f"{name} has no column {column!r}, only {shown}")


def _suggest_separator(line: str) -> str:
    separators = ["::"] if "::" in line else [s for s in "\t,;|: " if s in line]
    if not separators:
        return ""
    likely = max(separators, key=line.count)
    return f": it looks separated by {likely!r} (data=file data.source.separator reads that)"

"""The table of docs/reliability.md: fault, times tried, times survived, lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from src.papers.markdown import fill_mark
from src.run.provenance import git_commit, machine
from tests.commands import REPOSITORY

KEPT = REPOSITORY / "outputs" / "chaos.json"
PAGE = REPOSITORY / "docs" / "reliability.md"


class Row(NamedTuple):
    """What a test tried; rows of one fault are added up."""

    fault: str
    tried: int
    survived: int
    detail: str
    """What belongs beside the fault, such as times."""


def keep(file: Path, test: str, rows: Sequence[Row]) -> None:
    """Keep a test's rows, in place of those that it had."""
    rows_of_test = [row._asdict() for row in rows]
    one = {"commit": git_commit()[:7], "day": str(date.today()), "rows": rows_of_test}
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):  # two commands may try faults at once
        file.write_text(json.dumps({**_read(file), test: one}, indent=2) + "\n")


def write_table(file: Path, page: Path = PAGE) -> None:
    """Write what is kept between the marks of the page."""
    kept = [one for one in _read(file).values() if one["rows"]]
    if kept:
        days = sorted({one["day"] for one in kept})
        when = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
        said = f"Tried {when}, at the commits named: {machine()}."
        fill_mark(page, "chaos", [said, "", *_lines(kept)])


def _lines(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table, a row a fault."""
    faults: dict[str, list[tuple[Row, str]]] = {}
    for one in kept:
        for row in one["rows"]:
            faults.setdefault(row["fault"], []).append((Row(**row), one["commit"]))
    lines = ["| fault | tried | survived | lost | commit |", "|---|---|---|---|---|"]
    for fault, rows in faults.items():
        details = dict.fromkeys(row.detail for row, _ in rows if row.detail)
        commits = dict.fromkeys(commit for _, commit in rows)
        tried, survived = sum(row.tried for row, _ in rows), sum(row.survived for row, _ in rows)
        lost = "nothing" if tried == survived else f"{tried - survived:,} times"
        what = "; ".join([fault, *details])
        lines.append(f"| {what} | {tried:,} | {survived:,} | {lost} | {', '.join(commits)} |")
    return lines


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.exists() else {}

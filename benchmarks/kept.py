"""The rows that were measured, kept one by one with the commit and the day of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Measured
from benchmarks.rows import Row


class Kept(NamedTuple):
    """What one name of the list measured."""

    commit: str
    day: str
    rows: list[Row]


def read_kept(file: Path) -> dict[str, Kept]:
    """What was measured before, by name; nothing where there is no such file."""
    if not file.exists():
        return {}
    return {
        name: Kept(one["commit"], one["day"], [_read_row(row) for row in one["rows"]])
        for name, one in json.loads(file.read_text()).items()
    }


def write_kept(file: Path, kept: Mapping[str, Kept]) -> None:
    """Keeps everything that was measured so far."""
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = {
        name: {"commit": one.commit, "day": one.day, "rows": [asdict(row) for row in one.rows]}
        for name, one in kept.items()
    }
    file.write_text(json.dumps(plain, indent=2) + "\n")


def describe(kept: Sequence[Kept]) -> str:
    """When and of which code the rows were measured: "on 2026-11-28 at commit d3bb7bc"."""
    days = sorted({one.day for one in kept})
    commits = list(dict.fromkeys(one.commit for one in kept))
    when = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    return f"{when} at commit{'s' * (len(commits) > 1)} {', '.join(commits)}"


def _read_row(row: Mapping[str, object]) -> Row:
    return Row(**{**row, "measured": Measured(**row["measured"])})  # type: ignore[arg-type,dict-item]

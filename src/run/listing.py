"""The list of runs for the terminal, and which of them words choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge
from rich.markup import escape
from rich.table import Table

from src.config import compose
from src.config.build import read
from src.evaluation.catalogue import CUTOFF, label_of, selected_value
from src.reporting.terminal import make_console
from src.reporting.wording import counted, decimal
from src.tracking.reading import Record

MEASURED = [f"{part}/{name}@{CUTOFF}" for part in ("val", "test") for name in ("hr", "ndcg")]

# Columns of a terminal that has room for folders
WIDE = 150
# Words that have a column of their own, or say where data lie
ASIDE = ("model=", "data=", "data.path=", "data.root=")


@dataclass(frozen=True)
class Listing:
    """The options of `python -m src.runs`, explained in conf/runs.yaml."""

    words: list[str] = field(default_factory=list)
    most: Annotated[int, Ge(1)] | None = 30
    clean: Literal["failed", "unfinished"] | None = None
    dry_run: bool = True


def check_listing(options: Mapping[str, Any]) -> Listing:
    """Return the options, typed. Raises UserError for the first mistake."""
    known = {name: options[name] for name in Listing.__dataclass_fields__}
    return read(Listing, known, "")


def choose_listed(records: Sequence[Record], words: Sequence[str]) -> list[Record]:
    """Return the runs that have all the words, without those of sweeps themselves."""
    return [one for one in records if "kind" not in one.tags and has_words(one, words)]


def has_words(record: Record, words: Sequence[str]) -> bool:
    """Tell whether every word is somewhere in what is known of the run, in any case."""
    tags = [record.tags.get(name, "") for name in ("model", "data", "sweep", "stage", "overrides")]
    known = [record.name, record.status, record.run_id, *tags, format_start(record)]
    text = " ".join([*known, locate_folder(record)]).lower()
    return all(word.lower() in text for word in words)


def print_runs(records: Sequence[Record], most: int | None) -> None:
    """Print the latest ones as a table, and say how many are left out."""
    if not records:
        print("no such runs")
        return
    shown = records[:most]
    console = make_console()
    wide = console.width >= WIDE
    console.print(_make_table(shown, with_folders=wide))
    if not wide:
        print(f"a terminal of {WIDE} columns shows their folders, too")
    if len(shown) < len(records):
        print(f"and {counted(len(records) - len(shown), 'earlier run')}: most=null lists them all")


def _make_table(records: Sequence[Record], *, with_folders: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name in ("run", "when", "model", "data", "options"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("when", "options"))
    for name in MEASURED:
        part, _, _ = name.partition("/")
        table.add_column(f"{part}\n{label_of(name)}", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    if with_folders:
        table.add_column("folder", overflow="fold")
    for one in records:
        values = [selected_value(one.metrics, name) for name in MEASURED]
        cells = [
            one.run_id[:8],
            format_start(one),
            one.tags.get("model", one.name),
            one.tags.get("data", ""),
            _describe_options(one),
            *["" if value is None else decimal(value) for value in values],
            one.status.lower(),
        ]
        table.add_row(*map(escape, cells), *([escape(locate_folder(one))] * with_folders))
    return table


def format_start(record: Record) -> str:
    """Return when the run was started, in local time."""
    return f"{datetime.fromtimestamp(record.started / 1000):%Y-%m-%d %H:%M}"


def locate_folder(record: Record) -> str:
    """Return the run's folder, from the outputs on where it is below them."""
    folder = record.tags.get("output_folder", "")
    home = compose.OUTPUTS.parent
    return str(Path(folder).relative_to(home)) if Path(folder).is_relative_to(home) else folder


def _describe_options(record: Record) -> str:
    """Return what tells the run from others: what its sweep varied, or its words."""
    if "stage" in record.tags:
        return f"pre-training: {record.tags['stage']}"
    model = record.tags.get("model", "")
    if "sweep" in record.tags:
        return record.name.removeprefix(model).strip()
    words = record.tags.get("overrides", "").split()
    return " ".join(word for word in words if not word.startswith(ASIDE))

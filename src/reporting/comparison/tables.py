"""The tables of a comparison: of configurations, on the page and in a file, and of all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.evaluation.catalogue import part_of
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import Configuration
from src.reporting.wording import seconds, whole, with_sd

# What is written with three digits
SHORT = ("fit/seconds", "fit/energy_wh")


@dataclass(frozen=True)
class TableColumn:
    """A column of the table of configurations."""

    name: str
    """The metric, as runs have it: "test/ndcg@10"."""
    title: str
    spread: bool = False
    """Whether the standard deviation over seeds stands behind the mean."""
    better: int = 0
    """1: more is better, -1: less is, 0: neither."""

    def value_of(self, one: Configuration) -> float | None:
        """Return the mean over the configuration's seeds."""
        return one.seconds if self.name == "fit/seconds" else one.mean(self.name)

    def write(self, value: float, sd: float | None) -> str:
        """Return a value as the page has it."""
        if self.spread:
            return with_sd(value, sd)
        return seconds(value) if self.name in SHORT else whole(value)


@dataclass(frozen=True)
class ValueCell:
    """One configuration in one column."""

    text: str
    order: float
    """What the column is sorted by."""
    best: bool = False


@dataclass(frozen=True)
class TableRow:
    """One configuration in the table on the page."""

    name: str
    settings: list[str]
    """What tells it apart, in the order of `list_setting_names`; "" where it has none."""
    chosen: bool
    n: int
    """How many seeds it has."""
    cells: list[ValueCell]


def list_columns(comparison: Comparison) -> list[TableColumn]:
    """Return the table's columns, as far as any run has them."""
    k = comparison.cutoff
    names = [
        "test/rmse",
        "test/mae",
        f"test/hr@{k}",
        f"test/ndcg@{k}",
        f"test/full/ndcg@{k}",
        *comparison.metrics.list_own_names(),
        *(name for name in comparison.monitors if part_of(name) == "val"),
    ]
    columns = [
        *(_make_column(comparison, name) for name in dict.fromkeys(names)),
        TableColumn("fit/best_epoch", "best epoch"),
        TableColumn("fit/seconds", "training, s", better=-1),
        TableColumn("fit/energy_wh", "energy, Wh", better=-1),
        TableColumn("fit/parameters", "parameters", better=-1),
    ]
    found = comparison.configurations
    return [column for column in columns if any(column.value_of(one) is not None for one in found)]


def list_setting_names(comparison: Comparison) -> list[str]:
    """Return the settings that have columns of their own: where names don't say them all."""
    found = comparison.configurations
    if all(one.mark == one.label for one in found):
        return []
    return list(dict.fromkeys(name for one in found for name in one.settings))


def fill_rows(comparison: Comparison, columns: Sequence[TableColumn]) -> list[TableRow]:
    """Return the rows of the table on the page, in the order of the comparison."""
    best = {column.name: _find_best(comparison, column) for column in columns}
    names = list_setting_names(comparison)
    return [
        TableRow(
            one.mark,
            [one.settings.get(name, "") for name in names],
            one is comparison.chosen,
            len(one.runs),
            [_fill_cell(one, column, best[column.name]) for column in columns],
        )
        for one in comparison.configurations
    ]


def tabulate_configurations(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each configuration: names, seeds, mean and sd of each column, options."""
    columns = list_columns(comparison)
    rows = []
    for one in comparison.configurations:
        row = {
            "configuration": one.label,
            "picture_name": one.mark,
            "model": one.model,
            "seeds": " ".join(map(str, one.seeds)),
            "n": len(one.runs),
            "chosen_by_validation": one is comparison.chosen,
        }
        for column in columns:
            row[column.name] = column.value_of(one)
            if column.spread:
                row[f"{column.name} sd"] = one.sd(column.name)
        rows.append({**row, **one.options})
    return pd.DataFrame(rows)


def tabulate_runs(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each run: what it is, the options that differ, and all its metrics."""
    return pd.DataFrame(
        {
            "configuration": one.label,
            "seed": run.params.get("seed"),
            "run_id": run.run_id,
            **one.options,
            **run.metrics,
        }
        for one in comparison.configurations
        for run in one.runs
    )


def write_csv(file: Path, table: pd.DataFrame) -> Path:
    """Write the table and return its file."""
    table.to_csv(file, index=False)
    return file


def _make_column(comparison: Comparison, name: str) -> TableColumn:
    """Return the column of a metric."""
    metrics = comparison.metrics
    title = metrics.label_with_part(name) if part_of(name) == "val" else metrics.label(name)
    if name.startswith("test/full/"):
        title += ", all unseen"
    return TableColumn(name, title, True, -1 if metrics.lower_is_better(name) else 1)


def _fill_cell(one: Configuration, column: TableColumn, best: str | None) -> ValueCell:
    """Return the cell of a configuration; `best` is the best mean of the column as written."""
    value = column.value_of(one)
    if value is None:
        return ValueCell("", float("-inf"))
    text = column.write(value, one.sd(column.name))
    return ValueCell(text, value, best=text.split(" ±")[0] == best)


def _find_best(comparison: Comparison, column: TableColumn) -> str | None:
    """Return the best mean of the column as written; None where none can be called best."""
    found = (column.value_of(one) for one in comparison.configurations)
    values = [value for value in found if value is not None]
    if not column.better or not comparison.comparable or len(values) < 2:
        return None
    return column.write((max if column.better > 0 else min)(values), None)

"""The table of a sweep's jobs: for jobs.csv, for the terminal, for the parent run's note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from src.evaluation.catalogue import label_of, lower_is_better, part_of
from src.sweeping.plan import Job

# What validation chooses a job by: the first of these that was measured
CHOOSING = ("val/rmse", "val/ndcg@10")
SECONDS = "fit/seconds"


def _name_column(name: str) -> str:
    """Name a metric above its column: "val NDCG@10", or "NDCG@10" of test."""
    if name == SECONDS:
        return "seconds"
    return label_of(name) if part_of(name) == "test" else f"{part_of(name)} {label_of(name)}"


# What the table has of each job, as far as measured, and what a person reads above it
MEASURED = {
    name: _name_column(name)
    for name in (*CHOOSING, "test/rmse", "test/hr@10", "test/ndcg@10", SECONDS)
}
STATUSES = ("finished", "failed", "missing")
MOST_ROWS = 60


def make_table(jobs: Sequence[Job], errors: Mapping[str, Exception]) -> pd.DataFrame:
    """Make a table with one row a job: status, swept options, metrics, error, key and folder.

    `errors`: the errors of failed jobs, by key.
    """
    rows = []
    for job in jobs:
        metrics = job.metrics
        status = "finished" if metrics else "failed" if job.key in errors else "missing"
        known = metrics or {}
        rows.append(
            {
                "status": status,
                **job.swept,
                **{name: known.get(name) for name in MEASURED},
                "error": " ".join(str(errors.get(job.key, "")).split()),
                "job": job.key,
                "folder": str(job.folder),
            }
        )
    table = pd.DataFrame(rows)
    return table.drop(columns=[name for name in MEASURED if table[name].isna().all()])


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a person reads, as text."""
    shown = table.drop(columns=["error", "job", "folder"])
    for name in [name for name in MEASURED if name in shown]:
        form = "{:.1f}" if name == SECONDS else "{:.4f}"
        shown[name] = ["" if pd.isna(value) else form.format(value) for value in table[name]]
    names = [str(name) for name in shown]
    heads = {name: MEASURED.get(name, name.rpartition(".")[2]) for name in names}
    return shown.astype(str).rename(columns=heads)


def print_summary(name: str, table: pd.DataFrame, file: Path) -> None:
    """Print the jobs on the terminal, MOST_ROWS at most; all of them are in `file`."""
    shown = as_text(table)
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    printed = Table(title=f"{name}: {counts}", title_justify="left")
    for column in map(str, shown):
        printed.add_column(column, justify="right" if column in MEASURED.values() else "left")
    for row in shown.head(MOST_ROWS).itertuples(index=False):
        printed.add_row(*row)
    Console(soft_wrap=True, highlight=False).print(printed)
    if len(shown) > MOST_ROWS:
        print(f"and {len(shown) - MOST_ROWS} more")
    for error, failed in table[table["error"] != ""].groupby("error", sort=False):
        print(f"{len(failed)} failed: {error}")
    print(f"jobs     {file}")


def as_markdown(table: pd.DataFrame) -> str:
    """Return Markdown for the parent run's page in MLflow, which shows its first lines."""
    shown = as_text(table)
    heads = [str(column) for column in shown]
    lines: list[list[str]] = [heads, ["---"] * len(heads), *shown.to_numpy().tolist()]
    return "\n".join([*_best(table), *(f"| {' | '.join(cells)} |" for cells in lines)])


def _best(table: pd.DataFrame) -> list[str]:
    """Describe the job that validation chooses, if there is one."""
    for name in CHOOSING:
        if name in table and table[name].notna().any():
            best = "idxmin" if lower_is_better(name) else "idxmax"
            row = as_text(table).loc[getattr(table[name], best)()]
            said = ", ".join(f"{head} {value}" for head, value in row.items() if head != "status")
            return [f"Best on validation: {said}", ""]
    return []

"""Notes on the pages of runs: Markdown, with links to the runs' own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as a run's description."""

# Stands for the address of a run's files, which nobody knows before the store has the run
FILES = "artifact:"


def link_files(folder: Path, names: Mapping[str, str]) -> str:
    """Return links to a run's files, those that are there, by what each is called.

    names: {"report.html": "report"}. The store's own address takes its place in a link when the
    note is sent.
    """
    there = {name: said for name, said in names.items() if (folder / name).exists()}
    return " · ".join(f"[{said}]({FILES}{name})" for name, said in there.items())


def resolve_links(note: str, experiment: str, run: str) -> str:
    """Return a note whose links lead to the files of this run in MLflow's pages."""
    return note.replace(f"]({FILES}", f"]({address_run(experiment, run)}/artifacts/")


def address_run(experiment: str, run: str) -> str:
    """Return where a run's page is, below the address of MLflow's server."""
    return f"#/experiments/{experiment}/runs/{run}"

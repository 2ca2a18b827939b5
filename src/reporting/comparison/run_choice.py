"""Which runs a report compares, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from src.errors import UserError
from src.tracking.reading import Reader, Record

LONGEST_FILE_NAME = 60


def check_choice(wanted: Mapping[str, Any]) -> None:
    """Raise UserError when more than one of `runs`, `sweep` and `experiment` is given."""
    given = [name for name, value in wanted.items() if value is not None]
    if len(given) > 1:
        words = " and ".join(f"{name}=..." for name in given)
        raise UserError(f"{words} exclude each other: give one of them")


def choose_runs(
    reader: Reader, runs: Sequence[str] | None, sweep: str | None, experiment: str | None
) -> tuple[str, list[Record]]:
    """Return the report's title and the runs that were asked for, by default the latest sweep's.

    Raises UserError when there are none.
    """
    if sweep is not None:
        title, found = f"Sweep {reader.parent(sweep).name}", reader.sweep(sweep)
    elif experiment is not None:
        title, found = f"Experiment {experiment}", reader.experiment(experiment)
    elif runs is not None:
        found = reader.runs(runs)
        title = f"Runs {' '.join(record.run_id[:8] for record in found)}"
    else:
        title, found = _choose_latest(reader)
    if not found:
        raise UserError(f"{title} has no runs to compare")
    return title, found


def name_file(title: str) -> str:
    """Return the title in letters that any file system takes, and not too many."""
    return re.sub(r"[^\w.-]+", "-", title.lower())[:LONGEST_FILE_NAME].strip("-")


def _choose_latest(reader: Reader) -> tuple[str, list[Record]]:
    """Return the runs of the latest sweep, else of the only experiment, and say which."""
    sweeps = reader.sweeps()
    if sweeps:
        print(f"sweep    {sweeps[0].name}, the latest")
        return f"Sweep {sweeps[0].name}", reader.sweep(sweeps[0].run_id)
    experiments = reader.experiments()
    if len(experiments) != 1:
        there = f"; experiment=... is one of {', '.join(experiments)}" if experiments else ""
        raise UserError(f"no sweep in {reader.uri} yet{there or ', and no runs'}")
    print(f"runs     all of experiment {experiments[0]}: there is no sweep")
    return f"Experiment {experiments[0]}", reader.experiment(experiments[0])

"""`make causes`: what the differences from the paper come from, into docs/paper.md.

Each change is tried on its own, from the released code's settings, with three seeds. They are jobs
of sweeps, so that a second call makes only what is missing, and what the paper's own grid has is
not run again. `python -m benchmarks.causes mlp-1 batches` makes those of a system, of a study, or
whose label has the word.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.causes.runs import make_missing, read
from benchmarks.causes.settings import STUDIES
from benchmarks.causes.table import format_study
from benchmarks.commands import run_main
from src.papers.markdown import fill_mark

PAGE = Path(__file__).resolve().parents[2] / "docs" / "paper.md"


def main(wanted: Sequence[str]) -> None:
    """Make what is missing, then the tables of all that is there.

    Ends with status 1 where a run failed.
    """
    failed = make_missing(wanted)
    for name, study in STUDIES.items():
        runs = read(name)
        if all("" in mine for mine in runs.values()):
            fill_mark(PAGE, name, format_study(study, runs))
        else:
            print(f"{name}: a system's own runs are not all here; its table stays as it is")
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    run_main(main)

"""The parts of a run, made from the same options as by the command."""

from __future__ import annotations

from pathlib import Path

from src.config import compose as composing
from src.run.assembly import Run, assemble
from src.run.checks import check_options
from src.run.options import Options


def found_here(data: str) -> tuple[str, ...]:
    """Return the options of that data, in the folder where this process would look for it.

    Runs in a home of their own then find it without another download.
    """
    name = f"data={data}"
    return name, f"data.root={composing.compose([name]).data.root}"


def compose(*words: str) -> Options:
    """Return the options of `python -m src.train WORDS`."""
    return check_options(composing.compose(words))


def make(options: Options, folder: Path) -> Run:
    """Make trainer, module and data of a run without a tracker; how well it judges is no matter."""
    run = assemble(options, folder)
    run.module.model.trained = True
    return run

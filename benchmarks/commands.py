"""The real command in a process and a home of its own, and what it says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from src.errors import USER_ERROR, UserError

REPOSITORY = Path(__file__).resolve().parents[1]


class Run(NamedTuple):
    """A finished `python -m src.train`."""

    seconds: float
    """From the command to its end."""
    metrics: dict[str, float]
    epochs: pd.DataFrame


def run_main(main: Callable[[Sequence[str]], None]) -> None:
    """Run a program of this package on its words; a mistake is one line and status 2."""
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


def train(home: Path, *options: str) -> Run:
    """Runs `python -m src.train OPTIONS` below `home`."""
    folder = home / f"run-{time.monotonic_ns()}"
    started = time.perf_counter()
    python("-m", "src.train", *options, f"hydra.run.dir={folder}", home=home)
    seconds = time.perf_counter() - started
    metrics = json.loads((folder / "metrics.json").read_text())
    return Run(seconds, metrics, pd.read_csv(folder / "history.csv"))


def measured(*words: str, home: Path) -> dict[str, float]:
    """Runs a program of this package that prints its findings as JSON, on its last line."""
    return json.loads(python("-m", *words, home=home).splitlines()[-1])


def python(*words: str, home: Path) -> str:
    """Runs this Python with these words and returns what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=REPOSITORY,
        env={**os.environ, "NCF_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout

"""The runs of each cause: making those that are missing, and reading them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.causes.settings import CAUSES, SEEDS, SINGLE_EXAMPLES, SYSTEMS, list_words
from src.config.paths import OUTPUTS
from src.papers.reproduction import METRIC_LABELS
from src.papers.sweeps import compose_sweep
from src.sweeping.plan import plan

Key = tuple[str, str]
"""A system, and the label of a cause; "" of its own settings."""


def make_missing(wanted: Sequence[str]) -> None:
    """Run what is missing, the single examples last: nothing compiled serves them."""
    for system in SYSTEMS:
        for cause in (None, *CAUSES):
            words = list_words(system, cause)
            if words is not None and _is_wanted(wanted, system, cause.label if cause else ""):
                jobs = plan(compose_sweep(words))
                if any(job.wanted for job in jobs):
                    _call("src.train", "-m", *words, f"sweep.name=causes-{system}")
    for system in SYSTEMS:
        for seed in SEEDS if _is_wanted(wanted, system, SINGLE_EXAMPLES) else ():
            if not (file := _name_table(system, seed)).exists():
                words = [*(list_words(system, seeds=[seed]) or ()), "tracking=none"]
                _call("benchmarks.causes.single_examples", str(file), *words)


def read() -> dict[Key, list[pd.DataFrame]]:
    """Return the paper's metrics by test user of each run that is there, by system and cause."""
    found: dict[Key, list[pd.DataFrame]] = {}
    for system in SYSTEMS:
        for cause in (None, *CAUSES):
            words = list_words(system, cause)
            for job in plan(compose_sweep(words)) if words else ():
                if job.metrics is not None:
                    table = pd.read_parquet(job.folder / "per_user.parquet")
                    key = system, cause.label if cause else ""
                    found.setdefault(key, []).append(table[list(METRIC_LABELS)])
        files = [_name_table(system, seed) for seed in SEEDS]
        if tables := [pd.read_parquet(file) for file in files if file.exists()]:
            found[system, SINGLE_EXAMPLES] = tables
    return found


def _is_wanted(wanted: Sequence[str], system: str, label: str) -> bool:
    return not wanted or system in wanted or any(word in label for word in wanted)


def _name_table(system: str, seed: int) -> Path:
    return OUTPUTS / "causes" / f"single-examples-{system}-{seed}.parquet"


def _call(module: str, *words: str) -> None:
    """Run a module of this checkout; what fails is not in the table."""
    subprocess.run([sys.executable, "-m", module, *words], check=False)

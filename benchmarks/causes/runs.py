"""The runs of each change: making those that are missing, and reading them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.causes.settings import SEEDS, SINGLE_EXAMPLES, STUDIES, Change, Study
from src.config.paths import OUTPUTS
from src.errors import UserError
from src.evaluation.catalogue import selected_value
from src.papers.reproduction import METRIC_LABELS
from src.papers.sweeps import compose_sweep
from src.sweeping.plan import plan


class Seed(NamedTuple):
    """A finished run."""

    users: pd.DataFrame
    """The paper's metrics by test user."""
    validation: float | None
    """NDCG@10 of the epoch chosen, where validation chose it and the run has it on record."""


Runs = Mapping[str, Mapping[str, Sequence[Seed]]]
"""By system and change; "" is its own settings."""


def make_missing(wanted: Sequence[str]) -> None:
    """Run what is missing, the single examples last: nothing compiled serves them.

    Raises UserError for a word that is in nothing.
    """
    for word in wanted:
        if not any(
            _is_wanted([word], name, system, label)
            for name, study in STUDIES.items()
            for system in study.systems
            for label in (*(change.label for change in study.changes), SINGLE_EXAMPLES)
        ):
            raise UserError(f"{word}: no such study, system or change")
    for name, study in STUDIES.items():
        for system, change in _list_pairs(study):
            words = study.list_words(system, change)
            if not words or not _is_wanted(wanted, name, system, change.label if change else ""):
                continue
            if any(job.wanted for job in plan(compose_sweep(words))):
                _call("src.train", "-m", *words, f"sweep.name={name}-{system}")
    study = STUDIES["causes"]
    for system in study.systems:
        for seed in SEEDS if _is_wanted(wanted, "causes", system, SINGLE_EXAMPLES) else ():
            file = _name_table(system, seed)
            if not file.exists():
                words = [*(study.list_words(system, seeds=[seed]) or ()), "tracking=none"]
                _call("benchmarks.causes.single_examples", str(file), *words)


def read(name: str) -> Runs:
    """Return the runs of a study that are there."""
    study = STUDIES[name]
    found: dict[str, dict[str, list[Seed]]] = {system: {} for system in study.systems}
    for system, change in _list_pairs(study):
        words = study.list_words(system, change)
        for job in plan(compose_sweep(words)) if words else ():
            if (metrics := job.metrics) is not None:
                users = pd.read_parquet(job.folder / "per_user.parquet")[list(METRIC_LABELS)]
                seed = Seed(users, selected_value(metrics, "val/ndcg@10"))
                found[system].setdefault(change.label if change else "", []).append(seed)
    for system, mine in found.items():
        files = [_name_table(system, seed) for seed in SEEDS]
        if seeds := [Seed(pd.read_parquet(file), None) for file in files if file.exists()]:
            mine[SINGLE_EXAMPLES] = seeds
    return found


def _list_pairs(study: Study) -> Iterator[tuple[str, Change | None]]:
    """Yield every system as it is, then with each change in turn."""
    for change in (None, *study.changes):
        for system in study.systems:
            yield system, change


def _is_wanted(wanted: Sequence[str], study: str, system: str, label: str) -> bool:
    return not wanted or any(word in (study, system) or word in label for word in wanted)


def _name_table(system: str, seed: int) -> Path:
    return OUTPUTS / "causes" / f"single-examples-{system}-{seed}.parquet"


def _call(module: str, *words: str) -> None:
    """Run a module of this checkout; what fails is not in the table."""
    subprocess.run([sys.executable, "-m", module, *words], check=False)

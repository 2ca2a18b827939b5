"""The runs of each change: making those that are missing, and reading them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
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


Runs = Mapping[str, Mapping[str, Mapping[int, Seed]]]
"""By system, change and seed; the change "" is the system's own settings."""


class Command(NamedTuple):
    """A command that makes runs of a change, where any is missing."""

    system: str
    label: str
    """The change's; "" of the system's own settings."""
    module: str
    words: Sequence[str]


def make_missing(wanted: Sequence[str]) -> list[str]:
    """Run what is missing of what the words ask for; return the changes of which a run failed.

    The single examples come last: nothing compiled serves them. Raises UserError for a word that
    is in nothing.
    """
    failed = []
    for command in _list_missing(select_places(wanted)):
        call = [sys.executable, "-m", command.module, *command.words]
        if subprocess.run(call, check=False).returncode:
            failed.append(f"{command.system}, {command.label or 'as it is'}")
    return failed


def select_places(wanted: Sequence[str]) -> set[tuple[str, str, str]]:
    """Return study, system and label of the changes that the words ask for; all without any.

    Their systems as they are, "", are among them: without those there is nothing to add to. Raises
    UserError for a word that is in nothing.
    """
    places = [
        (name, system, label)
        for name, study in STUDIES.items()
        for system in study.systems
        for label in (*(change.label for change in study.changes), SINGLE_EXAMPLES)
    ]
    for word in wanted:
        if not any(_is_wanted([word], *place) for place in places):
            raise UserError(f"{word}: no such study, system or change")
    asked = {place for place in places if _is_wanted(wanted, *place)}
    return asked | {(name, system, "") for name, system, _ in asked}


def _is_wanted(wanted: Sequence[str], study: str, system: str, label: str) -> bool:
    """Tell whether a word is the study's or the system's name, or in the label; all without any."""
    return not wanted or any(word in (study, system) or word in label for word in wanted)


def _list_missing(asked: Container[tuple[str, str, str]]) -> Iterator[Command]:
    """Yield a command for every change asked for of which a run is missing, when it comes to it."""
    for name, study in STUDIES.items():
        for system, change in _list_pairs(study):
            label = change.label if change else ""
            words = study.list_words(system, change) if (name, system, label) in asked else None
            if words and any(job.wanted for job in plan(compose_sweep(words))):
                words = ["-m", *words, f"sweep.name={name}-{system}"]
                yield Command(system, label, "src.train", words)
    for system in STUDIES["causes"].systems:
        if ("causes", system, SINGLE_EXAMPLES) in asked:
            for _, words, file in _list_single_examples(system):
                if not file.exists():
                    module = "benchmarks.causes.single_examples"
                    call = [str(file), *words, "tracking=none"]
                    yield Command(system, SINGLE_EXAMPLES, module, call)


def read(name: str) -> Runs:
    """Return the runs of a study that are there."""
    study = STUDIES[name]
    found: dict[str, dict[str, dict[int, Seed]]] = {system: {} for system in study.systems}
    for system, change in _list_pairs(study):
        words = study.list_words(system, change)
        for job in plan(compose_sweep(words)) if words else ():
            if (metrics := job.metrics) is not None:
                users = pd.read_parquet(job.folder / "per_user.parquet")[list(METRIC_LABELS)]
                seeds = found[system].setdefault(change.label if change else "", {})
                validation = selected_value(metrics, "val/ndcg@10")
                seeds[job.options["seed"]] = Seed(users, validation)
    if name == "causes":
        for system, mine in found.items():
            for seed, _, file in _list_single_examples(system):
                if file.exists():
                    mine.setdefault(SINGLE_EXAMPLES, {})[seed] = Seed(pd.read_parquet(file), None)
    return found


def _list_pairs(study: Study) -> Iterator[tuple[str, Change | None]]:
    """Yield every system as it is, then with each change in turn."""
    for change in (None, *study.changes):
        for system in study.systems:
            yield system, change


def _list_single_examples(system: str) -> Iterator[tuple[int, list[str], Path]]:
    """Yield seed, words and file of each of the system's runs on single examples.

    The file's name has the key of the run in groups, so that other options, data or code are
    another file.
    """
    for seed in SEEDS:
        words = STUDIES["causes"].list_words(system, seeds=[seed]) or []
        (job,) = plan(compose_sweep(words))
        name = f"single-examples-{system}-{seed}-{job.key}.parquet"
        yield seed, words, OUTPUTS / "causes" / name

"""Train a finished run again, with changes: `python -m src.train run=RUN seed=1`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from src.config import compose
from src.config.compose import plain
from src.config.trust import refuse_foreign_code, trusted_modules
from src.errors import UserError
from src.run.lookup import default_store, find_run
from src.run.saved import no_model_in, read_saved_options

OVERRIDES = Path(".hydra/overrides.yaml")
RUN = "run="
LISTS = "lists="
STORE = "tracking.uri="
# Where a run was recorded, and how it was gone on with, say nothing of what it trained
ASIDE = ("resume=", "sweep.")


def take_words_of_run(words: Sequence[str]) -> list[str]:
    """Return a command line's words with those of the run in place of run=RUN, which comes first.

    The others follow, and win. Raises UserError when there is no such run, or it names code that
    the words don't trust.
    """
    references = [word.removeprefix(RUN).strip("'\"") for word in words if word.startswith(RUN)]
    given = [word for word in words if not word.startswith(RUN)]
    stores = [word.removeprefix(STORE) for word in given if word.startswith(STORE)]
    folder = find_run(references[-1], {"uri": stores[-1] if stores else default_store()})
    own = [word for word in _read_words(folder) if not word.startswith(ASIDE)]
    if any(word.startswith(LISTS) for word in own):
        raise no_model_in(folder)
    trust = [word for word in given if word.startswith("trust=")]
    composed = plain(compose.compose([*own, *trust]))
    refuse_foreign_code(
        composed, trusted_modules(plain(compose.compose(trust))), folder / OVERRIDES
    )
    _tell_changes(folder, read_saved_options(folder, trusted_modules(composed)), composed)
    return [*own, *given]


def _read_words(folder: Path) -> list[str]:
    file = folder / OVERRIDES
    try:
        words = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} can't be read: it says how the run was started") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{file} is damaged: it says how the run was started")
    return words


def _tell_changes(folder: Path, saved: compose.Plain, now: compose.Plain) -> None:
    """Print what the same words mean now, where that is something else."""
    were, are = dict(_leaves(saved)), dict(_leaves(now))
    changed = [name for name in are if name in were and were[name] != are[name]]
    if changed:
        listed = ", ".join(f"{name}={are[name]} (was {were[name]})" for name in changed[:5])
        print(f"defaults have changed since {folder.name}: {listed}", flush=True)


def _leaves(node: object, prefix: str = "") -> list[tuple[str, object]]:
    if not isinstance(node, dict):
        return [(prefix, node)]
    # where things lie, and what the sweep of a job was, are no settings
    apart = ("sweep", "tracking", "data.root", "data.cache", "data.source.root", "trust")
    found = []
    for key, value in node.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if name not in apart:
            found += _leaves(value, name)
    return found

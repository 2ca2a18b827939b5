"""The options of an earlier run, as its folder has them: a file that may be anybody's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import yaml

from src.config.compose import Plain
from src.config.trust import refuse_foreign_code, trusted_modules
from src.errors import UserError, shorten
from src.run.options import check_groups

CONFIG = "config.yaml"
# The model of what src.judge records
LISTS = "src.serving.listed_scores.ListedScores"
MOST_BYTES = 1_000_000


def read_saved_options(folder: Path, trusted: Collection[str] = ()) -> Plain:
    """Return the options of the run that wrote to `folder`.

    `trusted`: modules of the user's own that it may name. Raises UserError for a file that is no
    run's configuration, or that names other code than ours.
    """
    file = folder / CONFIG
    options = _read_yaml(file)
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise UserError(f"{file} is no configuration of a run: it holds no options")
    try:
        check_groups(options)
    except UserError as error:
        raise UserError(f"{file} is no configuration of a run: {error}") from error
    if options["model"].get("_target_") == LISTS:
        raise no_model_in(folder)
    refuse_foreign_code(options, trusted, file)
    return options


def no_model_in(folder: Path) -> UserError:
    """Return what to say of what src.judge recorded, where a run with a model is wanted."""
    return UserError(f"{folder} has lists that src.judge judged: there is no model in it")


def read_changed_options(folder: Path, own: Plain) -> Plain:
    """Return a run's options with a command's own in their place.

    own: `trust`, `data` where given (data.root and data.path say where data lie that have moved),
    and `trainer` if the command has one.
    Raises UserError as `read_saved_options` does.
    """
    saved = read_saved_options(folder, trusted_modules(own))
    given = {key: value for key, value in own["data"].items() if value is not None}
    source = saved["data"]["source"]
    moved = {key: value for key, value in given.items() if key in source}
    if isinstance(given.get("path"), str) and "path" not in source:
        # the files of data=parts, all in a folder now
        moved |= {
            key: str(Path(given["path"], Path(value).name))
            for key, value in source.items()
            if key.endswith("_path") and isinstance(value, str)
        }
    changed = {**saved["data"], **given, "source": {**source, **moved}}
    trainer = own.get("trainer", saved["trainer"])
    return {**saved, "data": changed, "trainer": trainer, "trust": own["trust"]}


def _read_yaml(file: Path) -> object:
    try:
        content = file.read_bytes()
        if len(content) > MOST_BYTES:
            raise UserError(f"{file} is no configuration of a run: {len(content):,} bytes")
        # a file of ours has none, and a few lines of them can stand for more than memory holds
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, LOADER)):
            raise UserError(f"{file} is no configuration of a run: it has aliases")
        return yaml.load(content, LOADER)
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise UserError(f"{file} is damaged: {shorten(error, 120)}") from error


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Makes plain values only."""

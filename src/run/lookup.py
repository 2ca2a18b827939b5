"""Find an earlier run by its folder, the folder's name, a checkpoint, or the MLflow run's id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from src.config import compose
from src.errors import UserError

BEST = Path("checkpoints/best.ckpt")
LAST = Path("checkpoints/last.ckpt")
CHOSEN = Path("checkpoints/chosen.ckpt")
"""The epoch chosen on validation, where the run was trained again with that."""

# Folders of OUTPUTS that hold runs
HOMES = ("runs", "jobs")


def default_store() -> str:
    """Return the address of MLflow's store where none is named: the outputs' own."""
    return f"sqlite:///{compose.OUTPUTS}/mlflow.db"


def find_run(reference: str, tracking: Mapping[str, Any]) -> Path:
    """Return the folder of the run that `reference` names. Raises UserError when there is none.

    It is a folder, or its name within the outputs, a checkpoint in it, or the id of the run in the
    store at tracking["uri"], of which the first eight characters are enough.
    """
    for folder in _places(reference):
        if (folder / "config.yaml").is_file():
            return folder
    if Path(reference).exists():
        raise UserError(f"{reference} is not a run's folder: it has no config.yaml")
    where = f"neither a folder, nor a name in {compose.OUTPUTS / HOMES[0]}"
    if "uri" not in tracking:
        raise UserError(f"no run {reference}: {where}")
    from src.tracking.reading import find_run_folder

    if not isinstance(tracking["uri"], str):
        raise UserError(f"tracking.uri={tracking['uri']}: Input should be a valid string")
    found = find_run_folder(reference, tracking["uri"])
    if found is None:
        raise UserError(f"no run {reference}: {where}, nor an MLflow run in {tracking['uri']}")
    return found


def _places(reference: str) -> Iterator[Path]:
    """Yield the folders that a reference may mean."""
    path = Path(reference)
    yield path
    if path.name == reference:
        yield from (compose.OUTPUTS / home / reference for home in HOMES)
    if path.suffix == ".ckpt":
        yield path.parent.parent


def find_checkpoint(
    reference: str, tracking: Mapping[str, Any], *, before_refit: bool = False
) -> Path:
    """Return the checkpoint file itself, or the best one of the run that `reference` names.

    `before_refit`: that of before it was trained again with validation, if it was.
    """
    if reference.endswith(".ckpt"):
        return Path(reference)
    folder = find_run(reference, tracking)
    return folder / (CHOSEN if before_refit and (folder / CHOSEN).is_file() else BEST)

"""Find an earlier run: by folder, by checkpoint file or by MLflow run id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.errors import UserError

BEST = Path("checkpoints/best.ckpt")
LAST = Path("checkpoints/last.ckpt")


def find_run(reference: str, tracking: Mapping[str, Any]) -> Path:
    """Return the folder of the run that `reference` names. Raises UserError when there is none."""
    folder = Path(reference)
    if (folder / "config.yaml").is_file():
        return folder
    if folder.exists():
        raise UserError(f"{folder} is not a run's folder: it has no config.yaml")
    if "uri" in tracking:
        from src.tracking.mlflow import find_run_folder

        if not isinstance(tracking["uri"], str):
            raise UserError(f"tracking.uri={tracking['uri']}: Input should be a valid string")
        found = find_run_folder(reference, tracking["uri"])
        if found is not None:
            return found
        raise UserError(f"{reference} is neither a folder nor an MLflow run in {tracking['uri']}")
    raise UserError(f"no run folder {reference}")


def find_checkpoint(reference: str, tracking: Mapping[str, Any]) -> Path:
    """Return the checkpoint file itself, or the best one of the run that `reference` names."""
    if reference.endswith(".ckpt"):
        return Path(reference)
    return find_run(reference, tracking) / BEST

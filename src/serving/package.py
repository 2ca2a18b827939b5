"""A trained run in one folder, without pickles: weights, ids, histories and titles."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.durable import write_text
from src.data.interactions import Interactions
from src.data.prepared import Prepared
from src.data.splitting import Split
from src.errors import UserError, shorten
from src.serving.loaded_run import LoadedRun
from src.training.checkpoints import restore_model

ABOUT, WEIGHTS, ARRAYS, ITEMS = "package.json", "weights.safetensors", "data.npz", "items.parquet"
FORMAT = 1


def save_package(run: LoadedRun, folder: Path) -> None:
    """Write the run to a folder that exists: what `load_package` needs, and nothing else.

    Raises OSError when the disk is full.
    """
    from safetensors.torch import save_file

    weights = {name: it.contiguous() for name, it in run.model.state_dict().items()}
    save_file(_without_shared_memory(weights), folder / WEIGHTS)
    split = run.prepared.split
    users = np.concatenate([split.train.users, split.validation.users])
    items = np.concatenate([split.train.items, split.validation.items])
    ids: dict[str, Any] = {"user_ids": split.train.user_ids, "item_ids": split.train.item_ids}
    np.savez_compressed(folder / ARRAYS, users=users, items=items, **ids)
    if run.items is not None:
        run.items.to_parquet(folder / ITEMS)
    about = {
        "format": FORMAT,
        "name": run.name,
        "model": run.model.recipe,
        "n_users": run.prepared.n_users,
        "n_items": run.prepared.n_items,
        "fingerprint": run.prepared.fingerprint,
    }
    write_text(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def load_package(folder: Path, trusted: Collection[str] = ()) -> LoadedRun:
    """Load the run that `save_package` wrote to a folder; it has no test part.

    Raises UserError for a folder that holds none, or is damaged, or names foreign code.
    """
    from safetensors.torch import load_file

    about = _read_about(folder / ABOUT)
    try:
        weights = load_file(folder / WEIGHTS)
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("users", "items", "user_ids", "item_ids")}
        items = pd.read_parquet(folder / ITEMS) if (folder / ITEMS).exists() else None
    except Exception as error:  # of many kinds, for damage in one place or another
        raise UserError(f"{folder} is damaged: {shorten(error, 120)}") from error
    sizes = int(about["n_users"]), int(about["n_items"])
    model = restore_model(about["model"], sizes, weights, folder / ABOUT, trusted)
    prepared = _prepare(arrays, str(about["fingerprint"]))
    return LoadedRun(str(about["name"]), folder, model, prepared, items)


def _read_about(file: Path) -> dict[str, Any]:
    try:
        about = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{file} can't be read: it says what the folder holds") from error
    if about.get("format") != FORMAT:
        raise UserError(f"{file} is of another version of this project: export the run again")
    return about


def _prepare(arrays: dict[str, NDArray[Any]], fingerprint: str) -> Prepared:
    """Return data in which everything that users had is training."""
    train = Interactions(**arrays)
    none = train.take(np.zeros(0, np.int64))
    return Prepared(Split(train, none, none), None, fingerprint)


def _without_shared_memory(weights: dict[str, Any]) -> dict[str, Any]:
    """Return tensors of their own memory: what shares it safetensors refuses."""
    return {name: tensor.clone() for name, tensor in weights.items()}

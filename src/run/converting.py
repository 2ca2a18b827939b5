"""Write weights of the paper's released code as a run of ours: its options and its checkpoint."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from src.config import compose
from src.config.durable import making, replacing, write_text
from src.config.quoting import assign
from src.data.sources.checksums import sha256
from src.errors import UserError
from src.run.assembly import make_data
from src.run.checks import check_options
from src.run.keras_model import KerasModel
from src.run.lookup import BEST, HOMES
from src.run.options import Options
from src.run.provenance import FILE
from src.run.saved import CONFIG
from src.training.checkpoints import make_model

CHECKPOINT = ".ckpt"
# The released code chose its epochs so; what it trained has a record nowhere
FIXED = ("protocol=ncf2017", "tracking=none")


def choose_place(out: str | None, keras: Path) -> Path:
    """Return where to write: a checkpoint alone, FILE.ckpt, or the folder of a run.

    By default a folder named after the Keras file. Raises UserError if it is there already.
    """
    # ml-1m_MLP_[64,32,16,8]_1501652038.h5
    name = compose.UNNAMED.sub("-", re.sub(r"[\[\]]", "", keras.stem)).strip("-") or "keras"
    place = Path(out).expanduser() if out else compose.OUTPUTS / HOMES[0] / name
    if place.exists():
        raise UserError(f"{place} is there already: name another by out=..., or remove it")
    return place


def compose_options(model: KerasModel) -> Options:
    """Return the options of a run of this model, on the data that this command's line names."""
    data = [word for word in compose.given_words() if word.lstrip("+~").startswith("data.")]
    shape = [assign(f"model.{name}", value) for name, value in model.options.items()]
    chosen = [f"data={compose.given_choice('data')}", f"model={model.kind}"]
    words = [*chosen, *data, *shape, *FIXED]
    with compose.explained(words):
        composed = compose.compose(words)
    return check_options(composed)


def check_fit(model: KerasModel, options: Options, keras: Path) -> None:
    """Prepare the data. Raises UserError unless rows of the file are its users and its items.

    The released code numbers them from 0, as the released files do.
    """
    prepared = make_data(options).prepared
    if (model.n_users, model.n_items) != (prepared.n_users, prepared.n_items):
        raise UserError(
            f"{keras} is of {model.n_users} users and {model.n_items} items, but "
            f"data={options.data.name} has {prepared.n_users} and {prepared.n_items}"
        )
    train = prepared.split.train
    if not all(
        np.array_equal(ids, np.arange(len(ids))) for ids in (train.user_ids, train.item_ids)
    ):
        raise UserError(
            f"data={options.data.name} does not number users and items from 0, as the released "
            "code does: whose rows these are is not known"
        )


def write_converted(model: KerasModel, options: Options, place: Path, keras: Path) -> Path:
    """Write the checkpoint alone, or a folder that is whole or not there; return the checkpoint."""
    content = _make_checkpoint(model, options)
    if place.suffix == CHECKPOINT:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as part:
            torch.save(content, part)
        return place
    # without the data's fingerprint: what other protocols hold out, the released code trains on,
    # so that no model that chooses on validation may start from it
    known = {
        "model": options.model.name,
        "data": options.data.name,
        "converted_from": str(keras.resolve()),
        "sha256": sha256(keras),
    }
    with making(place) as folder:
        (folder / BEST).parent.mkdir()
        torch.save(content, folder / BEST)
        OmegaConf.save(options.plain, folder / CONFIG)
        write_text(folder / FILE, json.dumps(known, indent=2) + "\n")
    return place / BEST


def _make_checkpoint(model: KerasModel, options: Options) -> dict[str, object]:
    """Return what a checkpoint of training holds, as far as judging and starting need it."""
    made = make_model(options.model.component, model.n_users, model.n_items)
    weights = {
        name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in model.state.items()
    }
    made.load_state_dict(weights)
    return {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": version("pytorch-lightning"),
        "state_dict": {f"model.{name}": value for name, value in weights.items()},
        "hyper_parameters": {
            "model": made.recipe,
            "n_users": model.n_users,
            "n_items": model.n_items,
        },
    }

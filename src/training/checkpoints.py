"""Checkpoints that can be read without the configuration they were trained with."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from src.config.build import build
from src.errors import UserError
from src.models import Recommender


def make_model(options: Mapping[str, Any], n_users: int, n_items: int) -> Recommender:
    """The model that a `model` configuration names, freshly initialized."""
    # how NeuMF is fused is no part of what it is
    aside = {"name", "pretrained", "alpha"} if "pretrained" in options else {"name"}
    own = {key: value for key, value in options.items() if key not in aside}
    return build(own, "model", n_users=n_users, n_items=n_items)


def epoch_of(checkpoint: Path) -> int:
    """The epoch, from 0, after which the checkpoint was written."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"])


def load_model(checkpoint: Path, n_users: int, n_items: int) -> Recommender:
    """The trained model of a checkpoint, in evaluation mode, on the CPU.

    Raises UserError when the file is not one of our checkpoints or was trained on other data.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        facts = content["hyper_parameters"]
        weights = {
            name.removeprefix("model."): value for name, value in content["state_dict"].items()
        }
    except FileNotFoundError as error:
        raise UserError(f"no checkpoint at {checkpoint}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        raise UserError(f"{checkpoint} is not a checkpoint of this project") from error
    if (facts["n_users"], facts["n_items"]) != (n_users, n_items):
        raise UserError(
            f"{checkpoint} was trained on {facts['n_users']} users and {facts['n_items']} items, "
            f"but this data has {n_users} and {n_items}"
        )
    model = make_model(facts["model"], n_users, n_items)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"{checkpoint} was written by a version of this project with other weights in a "
            f"{type(model).__name__}; train it again"
        ) from error
    return model.eval()

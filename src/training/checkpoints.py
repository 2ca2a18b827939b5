"""Checkpoints that can be read without the configuration they were trained with."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from src.config.build import Component, is_kind
from src.config.trust import refuse_foreign_code
from src.errors import UserError
from src.models import Recommender
from src.training.checkpoint_files import check_whole

# Entries of a model's configuration that are no options of it
ASIDE = ("name", "pretrained", "parts")


def make_model(chosen: Component, n_users: int, n_items: int) -> Recommender:
    """Make the model that a configuration names, freshly initialized."""
    own, _ = split_model_options(chosen)
    return own.build(n_users=n_users, n_items=n_items)


def split_model_options(chosen: Component) -> tuple[Component, dict[str, Any]]:
    """Split a model's options into those of making it and those of `start_from`.

    Raises UserError when the configuration names no Recommender.
    """
    if not is_kind(chosen.callable, Recommender):
        raise UserError(f"model._target_={chosen.target} is no Recommender")
    starting = list(inspect.signature(chosen.callable.start_from).parameters)[2:]  # type: ignore[attr-defined]
    options = {key: value for key, value in chosen.options.items() if key not in ASIDE}
    own = {key: value for key, value in options.items() if key not in starting}
    start = {key: value for key, value in options.items() if key in starting}
    return Component(chosen.group, chosen.target, own), start


def load_model(
    checkpoint: str | Path,
    n_users: int | None = None,
    n_items: int | None = None,
    *,
    trusted: Collection[str] = (),
) -> Recommender:
    """Return the trained model of a checkpoint, in evaluation mode, on the CPU.

    `n_users`, `n_items`: of the data that it is meant for, where there are any. `trusted`: modules
    that it may name its model's class from, beside ours: ["mymodels"]. Raises UserError when the
    file is damaged, not one of our checkpoints, names another class, or was trained on other data.
    """
    check_whole(Path(checkpoint))
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        facts = content["hyper_parameters"]
        sizes = int(facts["n_users"]), int(facts["n_items"])
        weights = {
            name.removeprefix("model."): value for name, value in content["state_dict"].items()
        }
    except Exception as error:  # torch's are of any kind, for damage in one place or another
        raise UserError(f"{checkpoint} is not a checkpoint of this project") from error
    if (n_users or sizes[0], n_items or sizes[1]) != sizes:
        raise UserError(
            f"{checkpoint} was trained on {sizes[0]} users and {sizes[1]} items, "
            f"but this data has {n_users} and {n_items}"
        )
    return restore_model(facts["model"], sizes, weights, checkpoint, trusted)


def restore_model(
    recipe: Mapping[str, Any],
    sizes: tuple[int, int],
    weights: Mapping[str, Any],
    file: object,
    trusted: Collection[str] = (),
) -> Recommender:
    """Return the trained model that `file` holds: its recipe, (n_users, n_items), its weights.

    Raises UserError as `load_model` does.
    """
    refuse_foreign_code({"model": recipe}, trusted, file)
    model = make_model(Component.read(recipe, "model"), *sizes)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file} was written by a version of this project with other weights in a "
            f"{type(model).__name__}; train it again"
        ) from error
    model.trained = True
    return model.eval()

"""Which model a Keras file of the released code (He et al. 2017) holds, its sizes and its weights.

Layers are named as in GMF.py, MLP.py and NeuMF.py of hexiangnan/neural_collaborative_filtering.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from src.errors import UserError, shorten
from src.run.keras_file import Layers, read_layers

Array = NDArray[np.float32]
Pair = tuple[Array, Array]

# Embeddings of users and items: of GMF.py and MLP.py, and of the two halves of NeuMF.py
ALONE = ("user_embedding", "item_embedding")
FACTORS = ("mf_embedding_user", "mf_embedding_item")
TOWER = ("mlp_embedding_user", "mlp_embedding_item")
HIDDEN = re.compile(r"layer\d+")
PREDICTION = "prediction"
SCRIPTS = "GMF.py, MLP.py and NeuMF.py"


@dataclass(frozen=True)
class KerasModel:
    """What a file of the released code holds, in the terms of this project."""

    kind: Literal["gmf", "mlp", "neumf"]
    options: dict[str, int | list[int]]
    """Those of conf/model/KIND.yaml that give its shape."""
    n_users: int
    n_items: int
    state: dict[str, Array]
    """Weights by their names in our model."""


def read_keras_model(file: Path) -> KerasModel:
    """Read a file of weights. Raises UserError for one of another network, or with wrong shapes."""
    layers = read_layers(file)
    try:
        return _recognize(layers)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def _recognize(layers: Layers) -> KerasModel:
    fused = any(name in layers for name in (*FACTORS, *TOWER))
    hidden = [f"layer{n}" for n in range(1, 1 + len(list(filter(HIDDEN.fullmatch, layers))))]
    _check_names(layers, [*((*FACTORS, *TOWER) if fused else ALONE), *hidden, PREDICTION])

    pairs = [_take_embeddings(layers, FACTORS if fused else ALONE)]
    (n_users, width), n_items = pairs[0][0].shape, len(pairs[0][1])
    if fused:
        pairs.append(_take_embeddings(layers, TOWER, n_users, n_items))
    # without hidden layers only the output's width tells GMF from an MLP
    elif not hidden and layers[PREDICTION][0].shape[:1] == (width,):
        return _make(
            "gmf", pairs, {"factors": width}, [], _take_dense(layers, PREDICTION, width, 1)
        )

    half = pairs[-1][0].shape[1]
    tower: list[Pair] = []
    for name in hidden:
        tower.append(_take_dense(layers, name, tower[-1][0].shape[1] if tower else 2 * half))
    widths = [2 * half, *(len(bias) for _, bias in tower)]
    factors = width if fused else widths[-1]
    output = _take_dense(layers, PREDICTION, widths[-1] + fused * width, 1)
    options: dict[str, int | list[int]] = {"factors": factors, "layers": widths}
    return _make("neumf" if fused else "mlp", pairs, options, tower, output)


def _make(
    kind: Literal["gmf", "mlp", "neumf"],
    pairs: Sequence[Pair],
    options: dict[str, int | list[int]],
    tower: Sequence[Pair],
    output: Pair,
) -> KerasModel:
    """Bring arrays to our model's form.

    One table has the users' rows, then the items'; its columns are GMF's, then the MLP's, as are
    the rows of Keras' output. Keras' kernels are [in, out], torch's weights [out, in].
    """
    users, items = (np.hstack(tables) for tables in zip(*pairs, strict=True))
    state = {"table.weight": np.vstack([users, items])}
    for number, (kernel, bias) in enumerate(tower):
        name = f"branches.mlp.hidden.{number}"
        state |= {f"{name}.weight": kernel.T, f"{name}.bias": bias}
    state |= {"output.weight": output[0].T, "output.bias": output[1]}
    return KerasModel(kind, options, len(users), len(items), state)


def _check_names(layers: Layers, expected: Sequence[str]) -> None:
    missing = [name for name in expected if name not in layers]
    others = [name for name in layers if name not in expected]
    if missing:
        present = f", only of {shorten(', '.join(layers), 80)}" if layers else ""
        raise UserError(
            f"no weights of {shorten(', '.join(missing), 80)}{present}: {SCRIPTS} write all"
        )
    if others:
        raise UserError(f"{shorten(', '.join(others), 80)}: none of {SCRIPTS} has such layers")


def _take_embeddings(
    layers: Layers,
    names: tuple[str, str],
    n_users: int | None = None,
    n_items: int | None = None,
) -> Pair:
    """Return the tables of users and items, of one width."""
    (users,) = _take(layers, names[0], (n_users, None))
    (items,) = _take(layers, names[1], (n_items, users.shape[1]))
    return users, items


def _take_dense(layers: Layers, name: str, n_in: int, n_out: int | None = None) -> Pair:
    """Return a layer's kernel [in, out] and bias [out]."""
    shape = layers[name][0].shape
    width = n_out if n_out is not None else (shape[1] if len(shape) == 2 else None)
    kernel, bias = _take(layers, name, (n_in, width), (width,))
    return kernel, bias


def _take(layers: Layers, name: str, *shapes: tuple[int | None, ...]) -> list[Array]:
    """Return a layer's arrays. Raises UserError unless they have these shapes, None being any."""
    arrays = layers[name]
    if len(arrays) != len(shapes):
        raise UserError(f"{name} has so many arrays of weights: {len(arrays)}, not {len(shapes)}")
    for array, shape in zip(arrays, shapes, strict=True):
        wanted = tuple(own if n is None else n for n, own in zip(shape, array.shape, strict=False))
        if array.shape != wanted or len(shape) != array.ndim or not array.size:
            sizes = ", ".join("n" if n is None else str(n) for n in shape)
            raise UserError(f"weights of {name} have the shape {array.shape}, not ({sizes})")
        if not np.isfinite(array).all():
            raise UserError(f"weights of {name} are no numbers, or infinite")
    return arrays

"""Scores of many pairs in compiled code: inner products, and towers of ReLU layers.

A tower's first layer is given for users and items apart: W [p; q] + b = (W_p p + b) + W_q q. A
block of one user's pairs goes through all layers while it is in the nearest cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from src.kernels.compiling import entry
from src.kernels.products import ROWS, WIDE, multiply_bias_relu, pack, pad, pad_columns
from src.kernels.vectors import add_relu, dot

BLOCK = 64
"""Pairs that go through the layers at a time."""

N_IN, N_OUT, FORWARD, BIAS, OUTPUTS = range(5)


def add_products(scores: Tensor, users: Tensor, items: Tensor, chosen: Tensor) -> None:
    """Add inner products to scores [P, C]: of users [P, width] with the rows `chosen` of items."""
    users = users.contiguous()
    width = users.shape[1]
    _add_products(
        users.data_ptr(), items.data_ptr(), items.stride(0), width, chosen.numpy(), scores.numpy()
    )


def add_tower(
    scores: Tensor,
    user_sums: Tensor,
    item_sums: Tensor,
    hidden: Sequence[nn.Linear],
    weight: Tensor,
    chosen: Tensor | None = None,
) -> None:
    """Add the outputs of a tower of ReLU layers to scores [P, C], times `weight` [n_features].

    user_sums [P, width] and item_sums [n_items, width] are the first layer's halves; `hidden` are
    the layers after it. `chosen` int64 [P, C] are each user's items; None stands for every one.
    """
    width = pad_columns(user_sums.shape[1])
    users, items = (_pad_columns(sums, width) for sums in (user_sums, item_sums))
    memory: list[Tensor] = []

    def take(n: int) -> int:
        memory.append(torch.zeros(n + WIDE))
        return memory[-1].data_ptr()

    outputs = take(pad(BLOCK, ROWS) * width)
    layers, n_in = [], width
    for layer in hidden:
        n_out = pad_columns(layer.out_features)
        padded = torch.zeros(n_out, n_in)
        padded[: layer.out_features, : layer.in_features] = layer.weight.detach()
        bias = _pad_columns(layer.bias.detach()[None], n_out)
        memory += [padded, bias]
        forward = take(n_in * n_out)
        _pack(padded.data_ptr(), n_in, n_out, forward)
        layers.append((n_in, n_out, forward, bias.data_ptr(), take(pad(BLOCK, ROWS) * n_out)))
        n_in = n_out
    last = _pad_columns(weight.detach()[None], n_in)
    every = torch.empty(0, 0, dtype=torch.long) if chosen is None else chosen
    _add_tower(
        users.data_ptr(),
        items.data_ptr(),
        width,
        every.numpy(),
        np.array(layers, np.int64).reshape(len(layers), 5),
        outputs,
        last.data_ptr(),
        scores.numpy(),
    )
    memory.clear()  # not before


def _pad_columns(matrix: Tensor, width: int) -> Tensor:
    """Return the matrix [n, m] side by side in memory, with zeros up to `width` columns."""
    if matrix.shape[1] == width and matrix.is_contiguous():
        return matrix
    return nn.functional.pad(matrix, (0, width - matrix.shape[1])).contiguous()


@entry
def _pack(weight, n_in, n_out, to):
    pack(weight, 1, n_in, n_in, n_out, to)


@entry
def _add_products(users, items, stride, width, chosen, scores):
    for p in range(chosen.shape[0]):
        user = users + 4 * p * width
        for place in range(chosen.shape[1]):
            item = items + 4 * chosen[p, place] * stride
            scores[p, place] += dot(user, item, width)


@entry
def _add_tower(users, items, width, chosen, layers, outputs, weight, scores):
    n_columns = scores.shape[1]
    n_layers = len(layers)
    some = chosen.shape[1] > 0
    for p in range(scores.shape[0]):
        user = users + 4 * p * width
        for first in range(0, n_columns, BLOCK):
            size = min(BLOCK, n_columns - first)
            for i in range(size):
                row = chosen[p, first + i] if some else first + i
                add_relu(outputs + 4 * i * width, user, items + 4 * row * width, width)
            inputs, n_features = outputs, width
            n = (size + ROWS - 1) // ROWS * ROWS
            for place in range(n_layers):
                n_in, n_out, to = layers[place, N_IN], layers[place, N_OUT], layers[place, OUTPUTS]
                forward, bias = layers[place, FORWARD], layers[place, BIAS]
                multiply_bias_relu(inputs, n_in, n, n_in, forward, n_out, to, n_out, bias, 0)
                inputs, n_features = to, n_out
            for i in range(size):
                scores[p, first + i] += dot(weight, inputs + 4 * i * n_features, n_features)

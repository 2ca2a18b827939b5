"""Scores of many pairs in compiled code: inner products, and towers of ReLU layers.

A tower's first layer is given for users and items apart: W [p; q] + b = (W_p p + b) + W_q q. A
block of one user's pairs goes through all layers while it is in the nearest cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from src.kernels.entry import Entry
from src.kernels.machine import ROWS, WIDE, pad, pad_columns

BLOCK = 64
"""Pairs that go through the layers at a time, as in score_kernels."""

_add_products = Entry("src.models.score_kernels.add_products")
_add_tower = Entry("src.models.score_kernels.add_tower")
_pack_weight = Entry("src.models.score_kernels.pack_weight")


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
        _pack_weight(padded.data_ptr(), n_in, n_out, forward)
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

"""Scores of many pairs, a block of one user's at a time; see `compiled_scores`."""

from __future__ import annotations

from src.kernels.compiling import inner
from src.kernels.machine import ROWS
from src.kernels.products import multiply_bias_relu, pack
from src.kernels.vectors import add_relu, dot

BLOCK = 64
"""Pairs that go through the layers at a time."""

# Columns of `layers`, a row for each: widths as they are stored, then addresses
N_IN, N_OUT, FORWARD, BIAS, OUTPUTS = range(5)


@inner
def pack_weight(weight, n_in, n_out, to):
    pack(weight, 1, n_in, n_in, n_out, to)
    return 0


@inner
def add_products(users, items, stride, width, chosen, scores):
    for p in range(chosen.shape[0]):
        user = users + 4 * p * width
        for place in range(chosen.shape[1]):
            item = items + 4 * chosen[p, place] * stride
            scores[p, place] += dot(user, item, width)
    return 0


@inner
def add_tower(users, items, width, chosen, layers, outputs, weight, scores):
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
    return 0

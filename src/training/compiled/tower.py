"""The tower of ReLU layers of a block of pairs, forwards and backwards (He et al. 2017, eq. 10).

W [p; q] = W_p p + W_q q: a user's half of the first layer is computed once for all the items that
it meets.
"""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inner
from src.kernels.products import (
    add_outer,
    add_weighted_rows,
    multiply,
    multiply_add_relu,
    multiply_bias,
    multiply_bias_relu,
    multiply_where_positive,
    pack,
)
from src.kernels.vectors import add, copy, fill, read, scale, scale_where_positive
from src.training.compiled.dropout import drop
from src.training.compiled.layout import (
    BACKWARD,
    BIAS,
    FORWARD,
    N_IN,
    N_OUT,
    OUTPUTS,
    SLOPES,
    STRIDE,
    WEIGHT,
)
from src.training.compiled.padding import pad_lanes, pad_rows, row_stride


@inner
def pack_weights(network, layers):
    """Store each layer's weights as products read them; the first as the user's and item's half."""
    for place in range(network.n_layers):
        n_in, n_out, stride = layers[place, N_IN], layers[place, N_OUT], layers[place, STRIDE]
        weight, forward = layers[place, WEIGHT], layers[place, FORWARD]
        backward = layers[place, BACKWARD]
        pack(weight, 1, stride, n_in, n_out, forward)
        pack(weight, stride, 1, n_out, pad_lanes(n_in), backward)
        if place == 0:  # n_in is that of a half
            half = weight + 4 * n_in
            pack(half, 1, stride, n_in, n_out, forward + 4 * n_in * n_out)
            pack(half, stride, 1, n_out, pad_lanes(n_in), backward + 4 * pad_lanes(n_in) * n_out)


@inner
def compute_tower(size, C, network, layers, task, scratch, key):
    """Compute every hidden layer's outputs."""
    if not network.n_layers:
        return
    stride, factors = row_stride(network), pad_lanes(network.factors)
    n_users, n_pairs = pad_rows(size), pad_rows(size * C)
    n_in, n_out, forward = layers[0, N_IN], layers[0, N_OUT], layers[0, FORWARD]
    outputs, sums = layers[0, OUTPUTS], scratch.user_sums
    user, item = scratch.user + 4 * factors, scratch.item + 4 * factors
    multiply_bias(user, stride, n_users, n_in, forward, n_out, sums, n_out, layers[0, BIAS], 0)
    for p in range(size):
        for pair in range(p * C, (p + 1) * C):
            copy(outputs + 4 * pair * n_out, sums + 4 * p * n_out, n_out)
    of_items = forward + 4 * n_in * n_out
    multiply_add_relu(item, stride, n_pairs, n_in, of_items, n_out, outputs, n_out, sums, 0)
    if task.dropout > 0:
        drop(outputs, size * C * n_out, task.dropout, key, 0)
    for place in range(1, network.n_layers):
        inputs, n_in = outputs, n_out
        outputs, n_out = layers[place, OUTPUTS], layers[place, N_OUT]
        forward, bias = layers[place, FORWARD], layers[place, BIAS]
        multiply_bias_relu(inputs, n_in, n_pairs, n_in, forward, n_out, outputs, n_out, bias, 0)
        if task.dropout > 0:
            drop(outputs, size * C * n_out, task.dropout, key, place)


@inner
def propagate_through_tower(size, C, network, layers, task, scratch):
    """Compute the gradients of what went into the tower, and add those of its parameters."""
    stride, factors = row_stride(network), pad_lanes(network.factors)
    n_users, n_pairs, n = pad_rows(size), pad_rows(size * C), size * C
    to_gradient = network.gradients - network.parameters
    last = network.n_layers - 1
    kept = np.float32(1 / (1 - task.dropout))
    n_out, outputs, slopes = layers[last, N_OUT], layers[last, OUTPUTS], layers[last, SLOPES]
    weights = network.output + 4 * network.factors
    add_weighted_rows(scratch.slopes, outputs, n_out, n_out, n, weights + to_gradient)
    for pair in range(n):
        at = 4 * pair * n_out
        factor = read(scratch.slopes, pair) * kept
        scale_where_positive(slopes + at, weights, outputs + at, n_out, factor)
    fill(slopes + 4 * n * n_out, (n_pairs - n) * n_out, np.float32(0))
    for place in range(last, 0, -1):
        n_in, backward = layers[place, N_IN], layers[place, BACKWARD]
        inputs, of_inputs = layers[place - 1, OUTPUTS], layers[place - 1, SLOPES]
        gradient = layers[place, WEIGHT] + to_gradient
        add_outer(slopes, n_out, n_out, inputs, n_in, n_in, n, gradient, layers[place, STRIDE])
        add_weighted_rows(scratch.ones, slopes, n_out, n_out, n, layers[place, BIAS] + to_gradient)
        multiply_where_positive(
            slopes, n_out, n_pairs, n_out, backward, n_in, of_inputs, n_in, inputs, n_in
        )
        slopes, n_out = of_inputs, n_in
        if task.dropout > 0:
            scale(slopes, slopes, n * n_out, kept)
    half, backward = layers[0, N_IN], layers[0, BACKWARD]
    of_users = scratch.of_user_sums
    for p in range(size):
        to = of_users + 4 * p * n_out
        copy(to, slopes + 4 * p * C * n_out, n_out)
        for pair in range(p * C + 1, (p + 1) * C):
            add(to, slopes + 4 * pair * n_out, n_out)
    add_weighted_rows(scratch.ones, of_users, n_out, n_out, size, layers[0, BIAS] + to_gradient)
    gradient, columns = layers[0, WEIGHT] + to_gradient, pad_lanes(half)
    user, item = scratch.user + 4 * factors, scratch.item + 4 * factors
    of_user, of_item = scratch.of_user + 4 * factors, scratch.of_item + 4 * factors
    add_outer(of_users, n_out, n_out, user, stride, columns, size, gradient, layers[0, STRIDE])
    gradient += 4 * half
    add_outer(slopes, n_out, n_out, item, stride, columns, n, gradient, layers[0, STRIDE])
    multiply(of_users, n_out, n_users, n_out, backward, columns, of_user, stride, user, 0)
    backward += 4 * n_out * columns
    multiply(slopes, n_out, n_pairs, n_out, backward, columns, of_item, stride, item, 0)

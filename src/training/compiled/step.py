"""The training step of GMF, MLP, NeuMF and MF: a list of batches in one call.

    gather    p, q: the rows of users and items
    eq. 8     the product of the GMF columns (of MF: all of them)
    eq. 10    the tower of ReLU layers over the MLP columns
    eq. 12    the output layer on both
    loss, and all of it backwards
    update    dense, or of the rows that were read

Equations are those of He et al. 2017. A batch is worked on in blocks of a few positives with their
negatives, so that all that lies between the rows and the logits stays in the nearest cache. Vectors
are padded with zeros to multiples of LANES. Every address is that of float32 which Python owns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from src.kernels.compiling import entry, inlined, inner
from src.kernels.products import (
    ROWS,
    add_outer,
    add_weighted_rows,
    multiply,
    multiply_add_relu,
    multiply_bias,
    multiply_bias_relu,
    multiply_where_positive,
    pack,
)
from src.kernels.vectors import (
    LANES,
    add,
    add_product,
    add_scaled,
    copy,
    dot,
    fill,
    multiply as multiply_vectors,
    read,
    scale,
    scale_where_positive,
    total,
    write,
)
from src.training.compiled import rows
from src.training.compiled.dropout import drop
from src.training.compiled.losses import differentiate

BLOCK = 32
"""Positives worked on at a time, with their negatives."""

# Columns of `layers`, a row for each hidden layer: widths as they are stored, then addresses
N_IN, N_OUT, STRIDE, WEIGHT, BIAS, FORWARD, BACKWARD, OUTPUTS, SLOPES = range(9)


class Network(NamedTuple):
    """The model and where its parameters are: int64."""

    n_users: int
    factors: int
    """Columns of a row that are multiplied."""
    half: int
    """Columns of a row that go into the tower, after these."""
    biases: int
    """1 where a row ends with a bias."""
    n_layers: int
    weighted: int
    """1 where the output layer has weights that learn."""
    output: int
    """The output layer's weights: of the product, then of the tower's features."""
    bias: int
    """The output layer's bias."""
    learns_bias: int
    parameters: int
    """All of these parameters, and in the same order their averages and gradients."""
    exp_avg: int
    exp_avg_sq: int
    gradients: int
    n_parameters: int


class Task(NamedTuple):
    """What is minimized: float64."""

    parameter: float
    """Of the loss: its margin, or its weight of negatives."""
    l2: float
    dropout: float


class Scratch(NamedTuple):
    """Addresses of a block's numbers."""

    user: int
    """p [BLOCK, stride]"""
    item: int
    """q [BLOCK * C, stride]"""
    of_user: int
    of_item: int
    weighted_user: int
    """h p [BLOCK, stride]"""
    user_sums: int
    """The user's half of the first layer [BLOCK, n_out]"""
    of_user_sums: int
    logits: int
    slopes: int
    values: int
    ones: int
    product: int


@entry
def train_batches(  # type: ignore[no-untyped-def]
    users, items, per_batch, loss, dropout_key,
    network, layers, table, task, rates, scratch,
    progress, up_to_date, places, touched, where, sums,
):  # fmt: skip
    """Train on users int64 [n] with items int64 [n, C], `per_batch` positives a step.

    progress int64 [3]: the steps taken, the one after which all rows are brought up to date next,
    and the one at which `sums` begin; the first two are moved on. Returns the sum of the batches'
    losses, each times its examples.
    """
    n, C = items.shape
    loss_sum = 0.0
    for begin in range(0, n, per_batch):
        count = min(per_batch, n - begin)
        progress[0] += 1
        step = progress[0]
        _pack_weights(network, layers)
        loss_of_batch = 0.0
        n_touched = 0
        for first in range(begin, begin + count, BLOCK):
            size = min(BLOCK, begin + count - first)
            n_touched = _gather(
                users, items, first, size, network, table, rates, step, progress[2], scratch,
                up_to_date, places, touched, where, n_touched, sums,
            )  # fmt: skip
            key = np.uint64(dropout_key) + np.uint64(first)
            _predict(size, C, network, layers, task, scratch, key)
            loss_of_batch += differentiate(
                loss, task.parameter, scratch.logits, scratch.slopes, scratch.values, size, C, count
            )
            _propagate_back(size, C, network, layers, task, scratch)
            _scatter(size, C, count, network, table, task, scratch, where)
        factor, eps = rows.scale_step(table.how, rates, step)
        rows.teach(table, rates, factor, eps, touched, n_touched)
        _teach_parameters(network, table, rates, factor, eps)
        if table.how == rows.ADAM_ROWS and step >= progress[1]:
            rows.bring_all(table, rates, step, progress[2], up_to_date, sums)
            progress[1] = rows.next_sweep(step)
        loss_sum += loss_of_batch * count * C
    return loss_sum


@inner
def pad(n):  # type: ignore[no-untyped-def]
    """Return the next multiple of LANES."""
    return (n + LANES - 1) // LANES * LANES


@inner
def _row_stride(network):  # type: ignore[no-untyped-def]
    return pad(network.factors) + pad(network.half) + LANES * network.biases


@inner
def _pack_weights(network, layers):  # type: ignore[no-untyped-def]
    """Store each layer's weights as products read them; the first as the user's and item's half."""
    for place in range(network.n_layers):
        n_in, n_out, stride = layers[place, N_IN], layers[place, N_OUT], layers[place, STRIDE]
        weight, forward = layers[place, WEIGHT], layers[place, FORWARD]
        backward = layers[place, BACKWARD]
        pack(weight, 1, stride, n_in, n_out, forward)
        pack(weight, stride, 1, n_out, pad(n_in), backward)
        if place == 0:  # n_in is that of a half
            half = weight + 4 * n_in
            pack(half, 1, stride, n_in, n_out, forward + 4 * n_in * n_out)
            pack(half, stride, 1, n_out, pad(n_in), backward + 4 * pad(n_in) * n_out)


@inner
def _gather(  # type: ignore[no-untyped-def]
    users, items, first, size, network, table, rates, step, base, scratch,
    up_to_date, places, touched, where, n_touched, sums,
):  # fmt: skip
    """Read the rows of a block, brought up to date, into p and q.

    where int64 [BLOCK * (1 + C)]: the row of each of the users, then of their items in turn, and in
    the end where its gradient goes.
    """
    C = items.shape[1]
    n = size * (1 + C)
    for p in range(size):
        where[p] = users[first + p]
        for place in range(C):
            where[size + p * C + place] = network.n_users + items[first + p, place]
    stride = _row_stride(network)
    for i in range(n):
        if i + rows.AHEAD < n:
            rows.ask_for(where[i + rows.AHEAD], table)
        row = where[i]
        where[i], n_touched = rows.touch(
            row, table, rates, step, base, up_to_date, places, touched, n_touched, sums
        )
        to = scratch.user + 4 * i * stride if i < size else scratch.item + 4 * (i - size) * stride
        _spread(to, table.weight + 4 * row * table.width, network)
    return n_touched


@inlined
def _spread(to, row, network):  # type: ignore[no-untyped-def]
    """Copy a row of the table, each of its parts padded."""
    factors, half = network.factors, network.half
    copy(to, row, factors)
    copy(to + 4 * pad(factors), row + 4 * factors, half)
    if network.biases:
        write(to, pad(factors) + pad(half), read(row, factors + half))


@inner
def _predict(size, C, network, layers, task, scratch, key):  # type: ignore[no-untyped-def]
    """Compute the logits of a block."""
    stride, factors = _row_stride(network), pad(network.factors)
    n_layers = network.n_layers
    _compute_tower(size, C, network, layers, task, scratch, key)
    bias = read(network.bias, 0)
    of_tower = network.output + 4 * network.factors
    for p in range(size):
        user = scratch.user + 4 * p * stride
        weighted = scratch.weighted_user + 4 * p * stride
        multiply_vectors(weighted, network.output, user, factors)  # equations 8 and 12
        of_user = bias
        if network.biases:
            of_user += read(user, stride - LANES)
        if network.half and not n_layers:
            of_user += dot(of_tower, user + 4 * factors, network.half)
        for pair in range(p * C, (p + 1) * C):
            item = scratch.item + 4 * pair * stride
            logit = of_user + dot(weighted, item, factors)
            if network.biases:
                logit += read(item, stride - LANES)
            if n_layers:
                n_out = layers[n_layers - 1, N_OUT]
                features = layers[n_layers - 1, OUTPUTS] + 4 * pair * n_out
                logit += dot(of_tower, features, n_out)
            elif network.half:
                logit += dot(of_tower + 4 * network.half, item + 4 * factors, network.half)
            write(scratch.logits, pair, logit)


@inner
def _compute_tower(size, C, network, layers, task, scratch, key):  # type: ignore[no-untyped-def]
    """Compute every hidden layer's outputs (equation 10).

    W [p; q] = W_p p + W_q q: a user's half is computed once for all the items it meets.
    """
    if not network.n_layers:
        return
    stride, factors = _row_stride(network), pad(network.factors)
    n_users, n_pairs = _pad_rows(size), _pad_rows(size * C)
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
def _pad_rows(n):  # type: ignore[no-untyped-def]
    return (n + ROWS - 1) // ROWS * ROWS


@inner
def _propagate_back(size, C, network, layers, task, scratch):  # type: ignore[no-untyped-def]
    """Compute the gradients of p and q, and add those of the parameters, from the slopes."""
    stride, factors, half = _row_stride(network), pad(network.factors), network.half
    n_layers = network.n_layers
    to_gradient = network.gradients - network.parameters
    slopes = scratch.slopes
    if network.learns_bias:
        gradient = network.bias + to_gradient
        write(gradient, 0, read(gradient, 0) + total(slopes, size * C))
    of_tower = network.output + 4 * network.factors
    for p in range(size):
        user, of_user = scratch.user + 4 * p * stride, scratch.of_user + 4 * p * stride
        weighted = scratch.weighted_user + 4 * p * stride
        item = scratch.item + 4 * p * C * stride
        product, columns = scratch.product, factors if n_layers else stride
        fill(product, columns, np.float32(0))
        add_weighted_rows(slopes + 4 * p * C, item, stride, columns, C, product)
        multiply_vectors(of_user, product, network.output, factors)
        if network.weighted:
            add_product(network.output + to_gradient, product, user, network.factors)
        for pair in range(p * C, (p + 1) * C):
            of_item = scratch.of_item + 4 * pair * stride
            scale(of_item, weighted, factors, read(slopes, pair))
            if network.biases:
                write(of_item, stride - LANES, read(slopes, pair))
            if half and not n_layers:
                scale(of_item + 4 * factors, of_tower + 4 * half, half, read(slopes, pair))
        of_pairs = total(slopes + 4 * p * C, C)
        if network.biases:
            write(of_user, stride - LANES, of_pairs)
        if half and not n_layers:
            scale(of_user + 4 * factors, of_tower, half, of_pairs)
            add_scaled(of_tower + to_gradient, user + 4 * factors, half, of_pairs)
            add(of_tower + to_gradient + 4 * half, product + 4 * factors, half)
    if n_layers:
        _propagate_through_tower(size, C, network, layers, task, scratch)


@inner
def _propagate_through_tower(size, C, network, layers, task, scratch):  # type: ignore[no-untyped-def]
    stride, factors = _row_stride(network), pad(network.factors)
    n_users, n_pairs, n = _pad_rows(size), _pad_rows(size * C), size * C
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
    gradient, columns = layers[0, WEIGHT] + to_gradient, pad(half)
    user, item = scratch.user + 4 * factors, scratch.item + 4 * factors
    of_user, of_item = scratch.of_user + 4 * factors, scratch.of_item + 4 * factors
    add_outer(of_users, n_out, n_out, user, stride, columns, size, gradient, layers[0, STRIDE])
    gradient += 4 * half
    add_outer(slopes, n_out, n_out, item, stride, columns, n, gradient, layers[0, STRIDE])
    multiply(of_users, n_out, n_users, n_out, backward, columns, of_user, stride, user, 0)
    backward += 4 * n_out * columns
    multiply(slopes, n_out, n_pairs, n_out, backward, columns, of_item, stride, item, 0)


@inner
def _scatter(size, C, count, network, table, task, scratch, where):  # type: ignore[no-untyped-def]
    """Add a block's gradients to those of the rows, L2 of the rows included."""
    stride = _row_stride(network)
    for i in range(size * (1 + C)):
        if i < size:
            at, times = 4 * i * stride, count
            row, of_row = scratch.user + at, scratch.of_user + at
        else:
            at, times = 4 * (i - size) * stride, count * C
            row, of_row = scratch.item + at, scratch.of_item + at
        if task.l2 > 0:
            add_scaled(of_row, row, stride, np.float32(2 * task.l2 / times))
        to = table.gradient + 4 * where[i] * table.width
        factors, half = network.factors, network.half
        add(to, of_row, factors)
        add(to + 4 * factors, of_row + 4 * pad(factors), half)
        if network.biases:
            width = factors + half
            write(to, width, read(to, width) + read(of_row, pad(factors) + pad(half)))


@inner
def _teach_parameters(network, table, rates, factor, eps):  # type: ignore[no-untyped-def]
    n = network.n_parameters
    if table.how == rows.SGD_ROWS:
        add_scaled(network.parameters, network.gradients, n, factor)
        fill(network.gradients, n, np.float32(0))
    else:
        averages = network.exp_avg, network.exp_avg_sq
        rows.step_adam(network.parameters, averages, network.gradients, n, rates, factor, eps)

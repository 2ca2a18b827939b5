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

import numpy as np

from src.kernels.compiling import inlined, inner
from src.kernels.products import add_weighted_rows
from src.kernels.vectors import (
    LANES,
    add,
    add_product,
    add_scaled,
    copy,
    dot,
    fill,
    read,
    scale,
    total,
    write,
)
from src.kernels.vectors import multiply as multiply_vectors
from src.training.compiled import rows
from src.training.compiled.block_losses import differentiate
from src.training.compiled.layout import ADAM_ROWS, BLOCK, N_OUT, OUTPUTS, SGD_ROWS
from src.training.compiled.padding import pad_lanes, row_stride
from src.training.compiled.tower import compute_tower, pack_weights, propagate_through_tower


@inner
def train_batches(
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
        pack_weights(network, layers)
        loss_of_batch = 0.0
        n_touched = np.int64(0)  # not a literal, for which callees would be compiled again
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
        if table.how == ADAM_ROWS and step >= progress[1]:
            rows.bring_all(table, rates, step, progress[2], up_to_date, sums)
            progress[1] = rows.next_sweep(step, rates.beta1, rates.beta2)
        loss_sum += loss_of_batch * count * C
    return loss_sum


@inner
def _gather(
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
    stride = row_stride(network)
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
def _spread(to, row, network):
    """Copy a row of the table, each of its parts padded."""
    factors, half = network.factors, network.half
    copy(to, row, factors)
    copy(to + 4 * pad_lanes(factors), row + 4 * factors, half)
    if network.biases:
        write(to, pad_lanes(factors) + pad_lanes(half), read(row, factors + half))


@inner
def _predict(size, C, network, layers, task, scratch, key):
    """Compute the logits of a block."""
    stride, factors = row_stride(network), pad_lanes(network.factors)
    n_layers = network.n_layers
    compute_tower(size, C, network, layers, task, scratch, key)
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
def _propagate_back(size, C, network, layers, task, scratch):
    """Compute the gradients of p and q, and add those of the parameters, from the slopes."""
    stride, factors, half = row_stride(network), pad_lanes(network.factors), network.half
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
        propagate_through_tower(size, C, network, layers, task, scratch)


@inner
def _scatter(size, C, count, network, table, task, scratch, where):
    """Add a block's gradients to those of the rows, L2 of the rows included."""
    stride = row_stride(network)
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
        add(to + 4 * factors, of_row + 4 * pad_lanes(factors), half)
        if network.biases:
            width = factors + half
            write(to, width, read(to, width) + read(of_row, pad_lanes(factors) + pad_lanes(half)))


@inner
def _teach_parameters(network, table, rates, factor, eps):
    n = network.n_parameters
    if table.how == SGD_ROWS:
        add_scaled(network.parameters, network.gradients, n, factor)
        fill(network.gradients, n, np.float32(0))
    else:
        averages = network.exp_avg, network.exp_avg_sq
        rows.step_adam(network.parameters, averages, network.gradients, n, rates, factor, eps)

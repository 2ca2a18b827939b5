"""The losses of src/training/losses.py, compiled: on the logits [n, C] of one block of a batch.

Each writes the slopes, the gradient of the batch's loss by every logit, and returns what the block
adds to the batch's loss. `count` is how many positives the batch has.
"""

from __future__ import annotations

import math

import numpy as np

from src.kernels.compiling import inner
from src.kernels.vectors import exp_below, read, scale, sigmoid, total, write
from src.training.compiled.layout import BALANCED_BCE, BCE, BPR, HINGE, SQUARED


@inner
def differentiate(kind, parameter, logits, slopes, values, n, C, count):
    """Choose the loss; `parameter` is its weight of negatives, or its margin."""
    if kind == BCE:
        return _bce(logits, slopes, values, n, C, count)
    if kind == BALANCED_BCE:
        return _balanced_bce(logits, slopes, values, n, C, count)
    if kind == BPR:
        return _bpr(logits, slopes, values, n, C, count)
    if kind == SQUARED:
        return _squared(parameter, logits, slopes, n, C, count)
    if kind == HINGE:
        return _hinge(parameter, logits, slopes, n, C, count)
    return _softmax(logits, slopes, n, C, count)


@inner
def _bce(logits, slopes, values, n, C, count):
    # softplus(-x) = softplus(x) - x
    sigmoid(slopes, values, logits, n * C)
    loss = np.float64(total(values, n * C))
    for p in range(0, n * C, C):
        loss -= read(logits, p)
        write(slopes, p, read(slopes, p) - np.float32(1))
    scale(slopes, slopes, n * C, np.float32(1 / (count * C)))
    return loss / (count * C)


@inner
def _balanced_bce(logits, slopes, values, n, C, count):
    sigmoid(slopes, values, logits, n * C)
    negative = 1 / (2 * count * (C - 1))
    positive = 1 / (2 * count)
    loss = 0.0
    scale(slopes, slopes, n * C, np.float32(negative))
    for p in range(0, n * C, C):
        of_positive = read(values, p) - read(logits, p)
        loss += of_positive * positive + total(values + 4 * (p + 1), C - 1) * negative
        write(slopes, p, np.float32(read(slopes, p) / negative - 1) * np.float32(positive))
    return loss


@inner
def _bpr(logits, slopes, values, n, C, count):
    # x of the negative minus x of the positive; the positive's own, 0, is left out below
    for p in range(0, n * C, C):
        positive = read(logits, p)
        for place in range(C):
            write(slopes, p + place, read(logits, p + place) - positive)
    sigmoid(slopes, values, slopes, n * C)
    pairs = count * (C - 1)
    scale(slopes, slopes, n * C, np.float32(1 / pairs))
    loss = 0.0
    for p in range(0, n * C, C):
        write(slopes, p, -total(slopes + 4 * (p + 1), C - 1))
        loss += total(values + 4 * (p + 1), C - 1)
    return loss / pairs


@inner
def _squared(weight, logits, slopes, n, C, count):
    loss = 0.0
    scale(slopes, logits, n * C, np.float32(2 * weight / (count * C)))
    for p in range(0, n * C, C):
        error = read(logits, p) - np.float32(1)
        loss += error * error
        for place in range(1, C):
            loss += weight * read(logits, p + place) ** 2
        write(slopes, p, error * np.float32(2 / (count * C)))
    return loss / (count * C)


@inner
def _hinge(margin, logits, slopes, n, C, count):
    pairs = count * (C - 1)
    slope = np.float32(1 / pairs)
    loss = 0.0
    for p in range(0, n * C, C):
        threshold = read(logits, p) - np.float32(margin)
        violating = 0
        for place in range(1, C):
            violation = read(logits, p + place) - threshold
            violates = violation > 0
            loss += violation if violates else np.float32(0)
            violating += violates
            write(slopes, p + place, slope if violates else np.float32(0))
        write(slopes, p, -slope * np.float32(violating))
    return loss / pairs


@inner
def _softmax(logits, slopes, n, C, count):
    loss = 0.0
    for p in range(0, n * C, C):
        most = read(logits, p)
        for place in range(1, C):
            most = max(most, read(logits, p + place))
        row = slopes + 4 * p
        exp_below(row, logits + 4 * p, C, most)
        everything = total(row, C)
        scale(row, row, C, np.float32(1) / everything)
        write(row, 0, read(row, 0) - np.float32(1))
        scale(row, row, C, np.float32(1 / count))
        loss += math.log(everything) + most - read(logits, p)
    return loss / count

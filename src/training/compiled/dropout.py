"""Dropout in a compiled step: a pure function of a key and a place."""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inner
from src.kernels.random import mix
from src.kernels.vectors import read, write


@inner
def drop(outputs, n, p, key, layer):
    """Set each of n outputs to 0 with probability p; scale the others by 1 / (1 - p)."""
    threshold = np.uint64(p * 2.0**32)
    kept = np.float32(1 / (1 - p))
    stream = mix(mix(key) + np.uint64(layer))
    for place in range(0, n, 2):
        bits = mix(stream + np.uint64(place))
        low, high = bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)
        write(outputs, place, read(outputs, place) * kept if low >= threshold else np.float32(0))
        if place + 1 < n:
            value = read(outputs, place + 1) * kept if high >= threshold else np.float32(0)
            write(outputs, place + 1, value)

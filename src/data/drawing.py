"""Draw negatives one by one, exactly and uniformly, in compiled code."""

from __future__ import annotations

import numpy as np

from src.kernels.bits import find_zero
from src.kernels.compiling import inner
from src.kernels.random import mix

# Where a user has not seen one item in so many, its draws are not tried out but counted off
RARE = 4

LOW = np.uint64(0xFFFFFFFF)


@inner
def draw_below(n, key, threshold):
    """Return a random integer in [0, n), n < 2^32, and the next key.

    Lemire (2019): the upper half of bits times n, where the lower is not below 2^32 mod n.
    """
    while True:
        product = (mix(key) & LOW) * n
        key += np.uint64(1)
        if (product & LOW) >= threshold:
            return product >> np.uint64(32), key


@inner
def draw_by_bits(users, seen, n_unseen, n_items, seed, drawn):
    """Draw unseen items of users int64 [P] into drawn int64 [P, k].

    seen uint64 [n_users, words]: the bits of items that a user has seen, and those beyond the last.
    """
    n = np.uint64(n_items)
    threshold = np.uint64(2**32) % n
    for i in range(len(users)):
        user = users[i]
        key = mix(np.uint64(seed) + np.uint64(i))
        few = np.uint64(n_unseen[user])
        rare = few * np.uint64(RARE) < n
        for place in range(drawn.shape[1]):
            if rare:
                rank, key = draw_below(few, key, np.uint64(2**32) % few)
                drawn[i, place] = find_zero(seen[user], rank)
                continue
            while True:
                item, key = draw_below(n, key, threshold)
                word = seen[user, item >> np.uint64(6)]
                if not (word >> (item & np.uint64(63))) & np.uint64(1):
                    break
            drawn[i, place] = item
    return 0


@inner
def draw_by_rank(users, lines, first, stride, n_unseen, seed, drawn):
    """Draw unseen items of users int64 [P] into drawn int64 [P, k], by their order.

    lines int64 [n]: for each seen item, user by user from `first` on, how many of the user's unseen
    come before it, plus the user times `stride`.
    """
    for i in range(len(users)):
        user = users[i]
        key = mix(np.uint64(seed) + np.uint64(i))
        few = np.uint64(n_unseen[user])
        threshold = np.uint64(2**32) % few
        for place in range(drawn.shape[1]):
            point, key = draw_below(few, key, threshold)
            sought = np.int64(user) * stride + np.int64(point)
            low, high = first[user], first[user + 1]
            while low < high:  # the first seen item with more unseen ones before it than the point
                middle = (low + high) >> 1
                if lines[middle] <= sought:
                    low = middle + 1
                else:
                    high = middle
            drawn[i, place] = np.int64(point) + low - first[user]
    return 0

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
def mark_folds(items, first, folds, first_word):
    """Set the bits of what users have seen: items int32 [n], from first int64 [n_users+1] on.

    folds uint64 [n_words], from first_word int64 [n_users+1] on: as many words for a user as a
    power of 2; an item's bit is its number modulo theirs.
    """
    for user in range(len(first) - 1):
        fold = first_word[user]
        last_word = first_word[user + 1] - fold - 1
        for place in range(first[user], first[user + 1]):
            item = np.int64(items[place])
            folds[fold + ((item >> 6) & last_word)] |= np.uint64(1) << np.uint64(item & 63)
    return 0


@inner
def draw_by_folds(users, items, first, folds, first_word, n_items, seed, drawn):
    """Draw unseen items of users int64 [P] into drawn int64 [P, k].

    items, first, folds, first_word: as of `mark_folds`, a user's items sorted.
    """
    n = np.uint64(n_items)
    threshold = np.uint64(2**32) % n
    for i in range(len(users)):
        user = users[i]
        key = mix(np.uint64(seed) + np.uint64(i))
        begin, end = first[user], first[user + 1]
        few = n - np.uint64(end - begin)
        rare = few * np.uint64(RARE) < n
        fold = first_word[user]
        last_word = np.uint64(first_word[user + 1] - fold - 1)
        for place in range(drawn.shape[1]):
            if rare:
                rank, key = draw_below(few, key, np.uint64(2**32) % few)
                drawn[i, place] = find_unseen(items, begin, end, np.int64(rank))
                continue
            while True:
                item, key = draw_below(n, key, threshold)
                word = folds[fold + np.int64((item >> np.uint64(6)) & last_word)]
                if not (word >> (item & np.uint64(63))) & np.uint64(1):
                    break
                if not contains(items, begin, end, np.int64(item)):
                    break
            drawn[i, place] = item
    return 0


@inner
def contains(items, begin, end, item):
    """Tell whether an item is among the sorted items[begin:end]."""
    low, high = begin, end
    while low < high:
        middle = (low + high) >> 1
        if items[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < end and items[low] == item


@inner
def find_unseen(items, begin, end, rank):
    """Return the item before which `rank` others are not among the sorted items[begin:end]."""
    low, high = begin, end
    while low < high:  # the first that has more unseen ones before it than the rank
        middle = (low + high) >> 1
        if items[middle] - (middle - begin) <= rank:
            low = middle + 1
        else:
            high = middle
    return rank + low - begin

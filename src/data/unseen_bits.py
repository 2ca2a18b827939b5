"""The items a user has seen, marked by bits: negatives are tried until one falls on no mark.

Draws are made by compiled code, on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions, encode_distinct_pairs
from src.kernels.entry import Entry

# Bits for each item that a user has seen, at least: with 16, one unseen item in 20 shares a bit
BITS_PER_ITEM = 16

draw_by_bits = Entry("src.data.drawing.draw_by_bits")
draw_by_folds = Entry("src.data.drawing.draw_by_folds")
mark_folds = Entry("src.data.drawing.mark_folds")


class MarkedItems:
    """Draws by compiled code, from the arrays that a subclass makes."""

    mass: Tensor
    """int64 [n_users]: how many items each user has not seen."""

    def __init__(self, n_items: int, draw_by: Entry, *arrays: NDArray[Any]) -> None:
        """`draw_by` takes users, the arrays, n_items, a seed, and where to write what it draws."""
        self.n_items, self._draw_by, self._arrays = n_items, draw_by, arrays

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw unseen items independently and uniformly: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        drawn = torch.empty(len(users), k, dtype=torch.long)
        seed = int(torch.randint(2**62, (), generator=generator))
        self._draw_by(users.numpy(), *self._arrays, self.n_items, seed, drawn.numpy())
        return drawn


class UnseenBits(MarkedItems):
    """A bit for each user and item; memory is n_users × n_items bits."""

    def __init__(self, data: Interactions) -> None:
        """Index interactions (any order, repeats allowed)."""
        seen = np.ones((data.n_users, -(-data.n_items // 64) * 64), bool)
        seen[:, : data.n_items] = False
        seen[data.users, data.items] = True
        self.mass = torch.from_numpy(seen.shape[1] - seen.sum(1))
        bits = np.packbits(seen, axis=1, bitorder="little").view(np.uint64)
        super().__init__(data.n_items, draw_by_bits, bits, self.mass.numpy())


class UnseenFolds(MarkedItems):
    """Bits that several items share, as many as a user's items need; memory is that of these.

    Where an item's bit is not set the user has not seen it; where it is, his sorted items are
    searched.
    """

    def __init__(self, data: Interactions) -> None:
        """Index interactions (any order, repeats allowed)."""
        pairs = encode_distinct_pairs(data.users, data.items, data.n_items)
        first = np.searchsorted(pairs, np.arange(data.n_users + 1) * data.n_items)
        n_seen = np.diff(first)
        self.mass = torch.from_numpy(data.n_items - n_seen)
        items = np.empty(len(pairs), np.int32)
        np.remainder(pairs, data.n_items, out=items, casting="unsafe")
        del pairs  # twice as large as all that is kept
        needed = np.minimum(n_seen * BITS_PER_ITEM, data.n_items)
        n_words = 1 << np.ceil(np.log2(np.maximum(needed / 64, 1))).astype(np.int64)
        first_word = np.concatenate([[0], n_words.cumsum()])
        self.folds = np.zeros(first_word[-1], np.uint64)
        mark_folds(items, first, self.folds, first_word)
        super().__init__(data.n_items, draw_by_folds, items, first, self.folds, first_word)

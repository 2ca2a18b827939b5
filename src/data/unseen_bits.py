"""The items a user has seen, marked by bits: negatives are tried until one falls on no mark.

Draws are made by compiled code, on the CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from src.data.interactions import Interactions, encode_distinct_pairs
from src.kernels.entry import Entry

# Bits for each item that a user has seen, at least: with 16, one unseen item in 20 shares a bit
BITS_PER_ITEM = 16

draw_by_bits = Entry("src.data.drawing.draw_by_bits")
draw_by_folds = Entry("src.data.drawing.draw_by_folds")
mark_folds = Entry("src.data.drawing.mark_folds")


class UnseenBits:
    """A bit for each user and item; memory is n_users × n_items bits."""

    def __init__(self, data: Interactions) -> None:
        """Index interactions (any order, repeats allowed)."""
        self.n_items = data.n_items
        seen = np.ones((data.n_users, -(-data.n_items // 64) * 64), bool)
        seen[:, : data.n_items] = False
        seen[data.users, data.items] = True
        self.mass = torch.from_numpy(seen.shape[1] - seen.sum(1))
        """int64 [n_users]: how many items each user has not seen."""
        self.seen = np.packbits(seen, axis=1, bitorder="little").view(np.uint64)

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw unseen items independently and uniformly: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        drawn = torch.empty(len(users), k, dtype=torch.long)
        draw_by_bits(
            users.numpy(),
            self.seen,
            self.mass.numpy(),
            self.n_items,
            _draw_seed(generator),
            drawn.numpy(),
        )
        return drawn


class UnseenFolds:
    """Bits that several items share, as many as a user's items need; memory is that of these.

    Where an item's bit is not set the user has not seen it; where it is, his sorted items are
    searched.
    """

    def __init__(self, data: Interactions) -> None:
        """Index interactions (any order, repeats allowed)."""
        self.n_items = data.n_items
        pairs = encode_distinct_pairs(data.users, data.items, data.n_items)
        self.first = np.searchsorted(pairs, np.arange(data.n_users + 1) * data.n_items)
        n_seen = np.diff(self.first)
        self.mass = torch.from_numpy(data.n_items - n_seen)
        """int64 [n_users]: how many items each user has not seen."""
        self.items = np.empty(len(pairs), np.int32)
        np.remainder(pairs, data.n_items, out=self.items, casting="unsafe")
        del pairs  # twice as large as all that is kept
        needed = np.minimum(n_seen * BITS_PER_ITEM, data.n_items)
        n_words = 1 << np.ceil(np.log2(np.maximum(needed / 64, 1))).astype(np.int64)
        self.first_word = np.concatenate([[0], n_words.cumsum()])
        self.folds = np.zeros(self.first_word[-1], np.uint64)
        mark_folds(self.items, self.first, self.folds, self.first_word)

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw unseen items independently and uniformly: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        drawn = torch.empty(len(users), k, dtype=torch.long)
        draw_by_folds(
            users.numpy(),
            self.items,
            self.first,
            self.folds,
            self.first_word,
            self.n_items,
            _draw_seed(generator),
            drawn.numpy(),
        )
        return drawn


def _draw_seed(generator: torch.Generator) -> int:
    """Draw a seed for compiled code."""
    return int(torch.randint(2**62, (), generator=generator))

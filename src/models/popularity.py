"""Baselines whose recommendations know nothing of a user's taste."""

from __future__ import annotations

import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.models.fitted import Fitted


class ItemPop(Fitted):
    """Most popular items: an item's score is its number of training interactions."""

    counts: Tensor
    """float [n_items]"""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.store(counts=torch.zeros(n_items))

    def fit(self, train: Interactions) -> None:
        items = torch.from_numpy(train.items).long()
        self.store(counts=torch.bincount(items, minlength=self.n_items).float())

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        users, items = torch.broadcast_tensors(users, items)
        return self.counts[items]

    def fold_in(self, items: Tensor) -> Tensor:
        return self.counts

    def to_log_scale(self, scores: Tensor) -> Tensor:
        """Return log(1 + n) of n interactions."""
        return torch.log1p(scores)


class Random(Fitted):
    """Random scores, as if uniform in [0, 1): a hash of the run's seed, the user and the item.

    A pair keeps its score, and no table of all pairs is needed.
    """

    seed: Tensor
    """int64, below 2^32."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.store(seed=torch.zeros((), dtype=torch.long))

    def fit(self, train: Interactions) -> None:
        self.store(seed=torch.randint(1 << 32, ()))

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        hashed = _mix(_mix(_mix(self.seed) ^ users) ^ items)
        # the upper 24 bits: all that a float32 can tell apart
        return (hashed >> 8) / (1 << 24)


def _mix(words: Tensor) -> Tensor:
    """Apply MurmurHash3's final mix to 32-bit words, which are held in int64 (Appleby 2011)."""
    # a product's lower 32 bits are right even where 64 bits overflow
    words = ((words ^ (words >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    words = ((words ^ (words >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return words ^ (words >> 16)

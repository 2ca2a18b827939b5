"""Which items each user has in some parts of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions, encode_distinct_pairs
from src.data.slices import list_positions


class SeenItems:
    """The distinct pairs of the parts, sorted by user."""

    def __init__(self, parts: Sequence[Interactions]) -> None:
        users = np.concatenate([part.users for part in parts])
        items = np.concatenate([part.items for part in parts])
        self.n_items = parts[0].n_items
        self.pairs = encode_distinct_pairs(users, items, self.n_items)
        bounds = np.arange(parts[0].n_users + 1) * self.n_items
        self.first = torch.from_numpy(np.searchsorted(self.pairs, bounds))

    def list_pairs(self, users: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """List what users [P] have: row in `users` int64 [n] and item int64 [n]."""
        chosen = torch.from_numpy(users)
        starts = self.first[chosen]
        rows, places = list_positions(starts, self.first[chosen + 1] - starts)
        return rows, torch.from_numpy(self.pairs)[places] % self.n_items

    def contain(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each pair, users [n] with items [n], whether it is there."""
        wanted = users * self.n_items + items
        places = np.searchsorted(self.pairs, wanted)
        places = np.minimum(places, len(self.pairs) - 1)
        return self.pairs[places] == wanted if len(self.pairs) else np.zeros(len(wanted), bool)

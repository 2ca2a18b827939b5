"""Slices of one long array, one for each user: sets of different sizes in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from src.data.interactions import Interactions


def list_positions(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """List all positions in slices of `counts` [P] that begin at `starts` [P], both int64.

    Return which slice each position belongs to [n] and the position itself [n], slice by slice.
    """
    rows = torch.repeat_interleave(counts)
    first = starts - (counts.cumsum(0) - counts)
    places = first.index_select(0, rows).add_(torch.arange(len(rows), device=rows.device))
    return rows, places


class ItemsByUser:
    """The items that each user has in some parts of the data."""

    def __init__(self, users: Tensor, items: Tensor, n_users: int, n_items: int) -> None:
        """Take the pairs, int64 [n] each, in any order."""
        self.n_items = n_items
        self.counts = torch.bincount(users, minlength=n_users)
        """int64 [n_users]"""
        self.starts = self.counts.cumsum(0) - self.counts
        self.items = items[users.argsort(stable=True)]

    @classmethod
    def of(cls, parts: Sequence[Interactions], device: torch.device | None = None) -> ItemsByUser:
        """Take the pairs of several parts of one data set."""
        users, items = (
            torch.from_numpy(np.concatenate(columns).astype(np.int64)).to(device)
            for columns in ([part.users for part in parts], [part.items for part in parts])
        )
        return cls(users, items, parts[0].n_users, parts[0].n_items)

    def mark(self, users: Tensor) -> Tensor:
        """Mark what users [P] have: bool [P, n_items]."""
        rows, places = list_positions(self.starts[users], self.counts[users])
        marked = torch.zeros(len(users), self.n_items, dtype=torch.bool, device=users.device)
        marked[rows, self.items[places]] = True
        return marked

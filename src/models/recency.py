"""Each user's last training interactions, latest first: what models of the order look at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions
from src.errors import UserError
from src.models.stored import Stored


class LastItems(Stored):
    """The `n` latest items of each user; fewer where there are fewer, or no times."""

    items: Tensor
    """int64 [n_users, n], latest first; n_items where there is none."""

    def __init__(self, n_users: int, n_items: int, n: int) -> None:
        super().__init__()
        self.n, self.n_items = n, n_items
        self.store(items=torch.full((n_users, n), n_items))

    def observe(self, train: Interactions) -> None:
        """Store each user's latest items. Raises UserError where nobody has times."""
        self.keep(*order_by_time(train))

    def keep(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> None:
        """Store the latest of these items, which are by user and then by time: [n] each."""
        n_users = len(self.items)
        counts = np.bincount(users, minlength=n_users)
        from_end = np.repeat(counts.cumsum(), counts) - 1 - np.arange(len(users))
        last = np.full((n_users, self.n), self.n_items)
        kept = from_end < self.n
        last[users[kept], from_end[kept]] = items[kept]
        self.store(items=torch.from_numpy(last))

    def weigh(self, users: Tensor, weights: Tensor) -> Tensor:
        """Return users' last items as rows with weights by place: [P], [n] -> [P, n_items].

        Of an item that is there twice the weights are added up.
        """
        rows = weights.new_zeros(len(users), self.n_items + 1)
        rows.scatter_add_(1, self.items[users], weights.expand(len(users), -1))
        return rows[:, :-1]


def order_by_time(train: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the users and items of users with times, by user and then by time: [n] each.

    Of equal times the one later in the file counts as later. Raises UserError where nobody has
    times.
    """
    timed = train.timed_users()[train.users]
    if train.timestamps is None or not timed.any():
        raise UserError("nobody has times here, and this model knows the order: take another")
    own = train.take(timed)
    assert own.timestamps is not None
    order = np.lexsort((own.timestamps, own.users))
    return own.users[order].astype(np.int64), own.items[order].astype(np.int64)

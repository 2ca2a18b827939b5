"""The training interactions of each user, for the models that look them up."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from src.data.interactions import Interactions
from src.data.slices import list_positions
from src.models.recency import order_by_time
from src.models.stored import Stored


class History(Stored):
    """The items of each user's training interactions, saved with the model that scores by them."""

    starts: Tensor
    """int64 [n_users + 1]: user u's items lie from starts[u] to starts[u + 1]."""
    items: Tensor
    """int64 [n], user by user."""

    def __init__(self, n_users: int) -> None:
        super().__init__()
        self.store(starts=torch.zeros(n_users + 1, dtype=torch.long), items=torch.zeros(0).long())

    def observe(self, train: Interactions) -> None:
        """Store the items of each user's interactions, in the order of `train`."""
        users = torch.from_numpy(train.users).long()
        self._keep(users, torch.from_numpy(train.items).long(), train.n_users)

    def _keep(self, users: Tensor, items: Tensor, n_users: int) -> None:
        counts = torch.bincount(users, minlength=n_users)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        self.store(starts=starts, items=items[users.argsort(stable=True)])

    def counts(self, users: Tensor) -> Tensor:
        """Count the items of each user: ids [P] -> int64 [P]."""
        return self.starts[users + 1] - self.starts[users]

    def list_pairs(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """List every interaction of `users` [P]: row in `users` int64 [n] and item int64 [n]."""
        rows, places = list_positions(self.starts[users], self.counts(users))
        return rows, self.items.index_select(0, places)

    def sum_rows(self, users: Tensor, table: Tensor) -> Tensor:
        """Sum the rows of each user's items: users [P], table [n_items, width] -> [P, width].

        Users without interactions get zeros.
        """
        counts = self.counts(users)
        _, places = list_positions(self.starts[users], counts)
        return embedding_bag(
            self.items.index_select(0, places), table, counts.cumsum(0) - counts, mode="sum"
        )


class OrderedHistory(History):
    """The items of each user whose times are known, in the order of time."""

    def observe(self, train: Interactions) -> None:
        """Store each user's items, earliest first. Raises UserError where nobody has times."""
        users, items = order_by_time(train)
        self._keep(torch.from_numpy(users), torch.from_numpy(items), train.n_users)

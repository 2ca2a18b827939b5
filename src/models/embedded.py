"""What recommenders share that look users and items up in one table."""

from __future__ import annotations

from torch import Tensor

from src.models.embedding_table import EmbeddingTable
from src.models.recommender import Recommender


class Embedded(Recommender):
    """A subclass sets `table`: the users' rows and then the items'."""

    table: EmbeddingTable

    def user_rows(self, users: Tensor) -> Tensor:
        return self.table(users)

    def item_rows(self, items: Tensor) -> Tensor:
        return self.table(items + self.n_users)

    def squared_norms(self, users: Tensor, items: Tensor) -> Tensor:
        table = self.table
        repeated = len(users) + items.numel() > table.num_embeddings
        if not repeated or table.sparse or table.keeper is not None:
            return super().squared_norms(users, items)
        # each row once, however many examples read it
        norms = table.weight.square().sum(1)
        return norms[users].mean() + norms[items + self.n_users].mean()

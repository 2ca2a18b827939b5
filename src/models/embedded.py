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

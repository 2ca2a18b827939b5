"""Recommenders that score an item by its ties to the items of the user's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from src.data.interactions import Interactions
from src.data.slices import positions
from src.data.sparse import interaction_matrix
from src.models.fitted import Fitted
from src.models.history import History
from src.models.stored import Stored

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class SparseRows(Stored):
    """A sparse matrix, row by row."""

    starts: Tensor
    """int64 [n_rows + 1]: row r lies from starts[r] to starts[r + 1]."""
    columns: Tensor
    """int64 [n]"""
    values: Tensor
    """float [n]"""

    def __init__(self, n_rows: int) -> None:
        super().__init__()
        starts = torch.zeros(n_rows + 1, dtype=torch.long)
        self.store(starts=starts, columns=torch.zeros(0).long(), values=torch.zeros(0))

    def take(self, matrix: csr_matrix) -> None:
        """Holds this matrix from now on."""
        self.store(
            starts=torch.from_numpy(matrix.indptr).long(),
            columns=torch.from_numpy(matrix.indices).long(),
            values=torch.from_numpy(matrix.data),
        )

    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Entries of rows `ids` [P]: place in `ids` int64 [n], column int64 [n], value [n]."""
        starts = self.starts[ids]
        places, entries = positions(starts, self.starts[ids + 1] - starts)
        return places, self.columns[entries], self.values[entries]

    def times(self, dense: Tensor) -> Tensor:
        """The product with a matrix: [n_columns, width] -> [n_rows, width]."""
        return embedding_bag(
            self.columns, dense, self.starts[:-1], mode="sum", per_sample_weights=self.values
        )


class ItemToItem(Fitted):
    """Score of user u for item i: the sum over the items j of u's history of weights[i, j].

    A subclass implements `item_weights`.
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.history = History(n_users)
        self.weights = SparseRows(n_items)

    def item_weights(self, interactions: csr_matrix) -> csr_matrix:
        """From the interactions [n_users, n_items], sparse weights float32 [n_items, n_items]."""
        raise NotImplementedError

    def fit(self, train: Interactions) -> None:
        self.history.observe(train)
        self.weights.take(self.item_weights(interaction_matrix(train)))

    def score_all(self, users: Tensor) -> Tensor:
        rows, items = self.history.pairs(users)
        seen = self.weights.values.new_zeros(self.n_items, len(users))
        seen[items, rows] = 1
        return self.weights.times(seen).t()

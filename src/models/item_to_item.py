"""Recommenders that score an item by its weights for the items of the user's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from src.data.interactions import Interactions
from src.data.slices import list_positions
from src.data.sparse import interaction_matrix
from src.models.fitted import Fitted
from src.models.history import History
from src.models.stored import Stored

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class SparseRows(Stored):
    """A sparse matrix stored by rows, which is saved with the model."""

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

    def set_matrix(self, matrix: csr_matrix) -> None:
        """Store this matrix in place of the one before."""
        self.store(
            starts=torch.from_numpy(matrix.indptr).long(),
            columns=torch.from_numpy(matrix.indices).long(),
            values=torch.from_numpy(matrix.data),
        )

    def read_rows(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read the entries of rows `ids` [P]: place in `ids` and column int64 [n], value [n]."""
        starts = self.starts[ids]
        places, entries = list_positions(starts, self.starts[ids + 1] - starts)
        return places, self.columns[entries], self.values[entries]

    def multiply(self, dense: Tensor) -> Tensor:
        """Multiply by a dense matrix: [n_columns, width] -> [n_rows, width]."""
        return embedding_bag(
            self.columns, dense, self.starts[:-1], mode="sum", per_sample_weights=self.values
        )


class DenseItemToItem(Fitted):
    """A model that adds up a row of item weights for each item of the user's history.

    A subclass implements `compute_item_weights`.
    """

    history: History
    item_weights: Tensor
    """float [n_items, n_items]: item j in the history adds row j to the scores."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.history = History(n_users)
        self.store(item_weights=torch.zeros(0))

    def compute_item_weights(self, interactions: csr_matrix) -> Tensor:
        """Compute float32 [n_items, n_items] from interactions [n_users, n_items]."""
        raise NotImplementedError

    def fit(self, train: Interactions) -> None:
        self.history.observe(train)
        self.store(item_weights=self.compute_item_weights(interaction_matrix(train)))

    def score_all(self, users: Tensor) -> Tensor:
        return self.history.sum_rows(users, self.item_weights)

    def fold_in(self, items: Tensor) -> Tensor:
        return self.item_weights[items].sum(0)

    def similar_to(self, item: int) -> Tensor:
        return self.item_weights[item]


class ItemToItem(Fitted):
    """A model that scores item i for user u by the sum of weights[i, j] over u's items j.

    A subclass implements `compute_item_weights`.
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.history = History(n_users)
        self.weights = SparseRows(n_items)

    def compute_item_weights(self, interactions: csr_matrix) -> csr_matrix:
        """Compute sparse float32 [n_items, n_items] from interactions [n_users, n_items]."""
        raise NotImplementedError

    def fit(self, train: Interactions) -> None:
        self.history.observe(train)
        self.weights.set_matrix(self.compute_item_weights(interaction_matrix(train)))

    def score_all(self, users: Tensor) -> Tensor:
        rows, items = self.history.list_pairs(users)
        return self._sum_weights(items, rows, len(users)).t()

    def fold_in(self, items: Tensor) -> Tensor:
        return self._sum_weights(items, torch.zeros_like(items), 1)[:, 0]

    def similar_to(self, item: int) -> Tensor:
        return self.fold_in(torch.tensor([item]))

    def _sum_weights(self, items: Tensor, columns: Tensor, n: int) -> Tensor:
        """Sum the weights of items [m] into the columns [m] of [n_items, n]."""
        seen = self.weights.values.new_zeros(self.n_items, n)
        seen[items, columns] = 1
        return self.weights.multiply(seen)

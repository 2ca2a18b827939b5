"""Neighbourhood models: similar items, similar users, random walks between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix, products
from src.models.fitted import Fitted
from src.models.history import History
from src.models.item_to_item import ItemToItem, SparseRows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Neighbours = Annotated[int, Ge(1)]
Shrink = Annotated[float, Ge(0)]
Block = NDArray[Any]

# Neighbours whose histories are looked up at a time: so few that they stay in cache
NEIGHBOURS_PER_CHUNK = 256


class ItemKNN(ItemToItem):
    """Each item is scored by its most similar items (Sarwar et al. 2001), by cosine with shrinkage.

    As in Ferrari Dacrema et al. 2021, section 3.2.
    """

    def __init__(
        self, n_users: int, n_items: int, topk: Neighbours = 100, shrink: Shrink = 100.0
    ) -> None:
        super().__init__(n_users, n_items)
        self.topk, self.shrink = topk, shrink

    def item_weights(self, interactions: csr_matrix) -> csr_matrix:
        return cosine_neighbours(interactions.T.tocsr(), self.topk, self.shrink)


class UserKNN(Fitted):
    """Each user's most similar users vote with their similarity for what they interacted with.

    As in Ferrari Dacrema et al. 2021, section 3.2.
    """

    def __init__(
        self, n_users: int, n_items: int, topk: Neighbours = 100, shrink: Shrink = 100.0
    ) -> None:
        super().__init__(n_users, n_items)
        self.topk, self.shrink = topk, shrink
        self.history = History(n_users)
        self.neighbours = SparseRows(n_users)

    def fit(self, train: Interactions) -> None:
        self.history.observe(train)
        self.neighbours.take(cosine_neighbours(interaction_matrix(train), self.topk, self.shrink))

    def score_all(self, users: Tensor) -> Tensor:
        chunks = users.split(max(1, NEIGHBOURS_PER_CHUNK // self.topk))
        return torch.cat([self._votes(chunk) for chunk in chunks])

    def _votes(self, users: Tensor) -> Tensor:
        rows, neighbours, similarities = self.neighbours.rows(users)
        places, items = self.history.pairs(neighbours)
        votes = similarities.new_zeros(len(users) * self.n_items)
        # index_select: several times faster here than brackets
        votes.index_add_(
            0,
            (rows * self.n_items).index_select(0, places).add_(items),
            similarities.index_select(0, places),
        )
        return votes.view(len(users), self.n_items)


class RP3beta(ItemToItem):
    """Random walks of three steps, user-item-user-item, with popular ends penalized.

    Paudel et al. 2017: probabilities to the power `alpha`, the item reached divided by its number of
    interactions to the power `beta`. Of each item's row of weights the `topk` largest stay, scaled
    to sum to 1 if `normalize` (Ferrari Dacrema et al. 2021).
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        topk: Neighbours = 100,
        alpha: Annotated[float, Ge(0)] = 1.0,
        beta: Annotated[float, Ge(0)] = 0.6,
        normalize: bool = True,
    ) -> None:
        super().__init__(n_users, n_items)
        self.topk, self.alpha, self.beta, self.normalize = topk, alpha, beta, normalize

    def item_weights(self, interactions: csr_matrix) -> csr_matrix:
        from sklearn.preprocessing import normalize

        to_items = normalize(interactions, norm="l1").power(self.alpha)
        to_users = normalize(interactions.T.tocsr(), norm="l1").power(self.alpha)
        # those without interactions are never reached
        popularity = np.maximum(np.bincount(interactions.indices, minlength=self.n_items), 1)
        penalty = (popularity**-self.beta).astype(np.float32)
        weights = largest(to_users, to_items, self.topk, lambda _, walks: walks * penalty)
        return (normalize(weights, norm="l1") if self.normalize else weights).T.tocsr()


def cosine_neighbours(vectors: csr_matrix, topk: int, shrink: float) -> csr_matrix:
    """The `topk` most similar rows of each row: a . b / (|a| |b| + shrink), sparse [n, n].

    Shrinkage favours similarities that rest on many interactions.
    """
    norms = np.sqrt(vectors.multiply(vectors).sum(1).A1)

    def similarities(rows: slice, dots: Block) -> Block:
        lengths = norms[rows, None] * norms
        # empty rows would divide by zero without shrinkage
        return dots / np.maximum(lengths + shrink, np.finfo(np.float32).tiny)

    return largest(vectors, vectors.T.tocsr(), topk, similarities)


def largest(
    left: csr_matrix, right: csr_matrix, topk: int, change: Callable[[slice, Block], Block]
) -> csr_matrix:
    """The `topk` largest positive entries of each row of `left @ right`, off the diagonal.

    `change` makes of some rows, and the product's block [rows, n], the entries to compare.
    """
    from scipy.sparse import csr_matrix

    n = left.shape[0]
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows, block in products(left, right):
        entries = torch.from_numpy(change(rows, block))
        entries.diagonal(rows.start).zero_()
        values, columns = entries.topk(min(topk, n))
        kept = values > 0
        row = torch.arange(rows.start, rows.stop)[:, None].expand_as(kept)
        found.append((values[kept], row[kept], columns[kept]))
    values, row, columns = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return csr_matrix((values, (row, columns)), shape=(n, n))

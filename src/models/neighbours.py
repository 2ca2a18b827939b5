"""Neighbourhood models: similar items, similar users, random walks between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix, multiply_in_blocks
from src.models.fitted import Fitted
from src.models.history import History
from src.models.item_to_item import ItemToItem, SparseRows

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Neighbours = Annotated[int, Ge(1)]
Weighting = Literal["none", "tfidf", "bm25"]
Shrink = Annotated[float, Ge(0)]
Block = NDArray[Any]

# Neighbours whose histories are looked up at a time: so few that they stay in cache
NEIGHBOURS_PER_CHUNK = 256
# The usual constants, as in Ferrari Dacrema et al. 2021
BM25_K1, BM25_B = 1.2, 0.75


class ItemKNN(ItemToItem):
    """Item neighbours: a score sums the similarities to the user's items in the item's `topk`.

    Sarwar et al. 2001, with the similarities of Ferrari Dacrema et al. 2021.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        topk: Neighbours = 50,
        shrink: Shrink = 0.0,
        weighting: Weighting = "none",
    ) -> None:
        super().__init__(n_users, n_items)
        self.topk, self.shrink, self.weighting = topk, shrink, weighting

    def compute_item_weights(self, interactions: csr_matrix) -> csr_matrix:
        vectors = weight_entries(interactions.T.tocsr(), self.weighting)
        return find_cosine_neighbours(vectors, self.topk, self.shrink)


class UserKNN(Fitted):
    """User neighbours: the `topk` most similar users vote for their items, by similarity.

    Resnick et al. 1994, with the similarities of Ferrari Dacrema et al. 2021. If `reverse`, the
    voters are those who have the user among their own `topk`, as in that paper's code.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        topk: Neighbours = 50,
        shrink: Shrink = 0.0,
        weighting: Weighting = "none",
        reverse: bool = False,
    ) -> None:
        super().__init__(n_users, n_items)
        self.topk, self.shrink, self.weighting = topk, shrink, weighting
        self.reverse = reverse
        self.history = History(n_users)
        self.neighbours = SparseRows(n_users)

    def fit(self, train: Interactions) -> None:
        self.history.observe(train)
        vectors = weight_entries(interaction_matrix(train), self.weighting)
        neighbours = find_cosine_neighbours(vectors, self.topk, self.shrink)
        self.neighbours.set_matrix(neighbours.T.tocsr() if self.reverse else neighbours)

    def score_all(self, users: Tensor) -> Tensor:
        chunks = users.split(max(1, NEIGHBOURS_PER_CHUNK // self.topk))
        return torch.cat([self._sum_votes(chunk) for chunk in chunks])

    def fold_in(self, items: Tensor) -> Tensor:
        """Let the `topk` training users vote whose histories are most similar."""
        from scipy.sparse import csr_matrix, vstack

        starts, seen = self.history.starts.numpy(), self.history.items.numpy()
        shape = len(starts) - 1, self.n_items
        known = csr_matrix((np.ones(len(seen), np.float32), seen, starts), shape=shape)
        own = np.zeros((1, self.n_items), np.float32)
        own[0, items.numpy()] = 1
        vectors = weight_entries(vstack([known, csr_matrix(own)]).tocsr(), self.weighting)
        dots = (vectors[:-1] @ vectors[-1].T).toarray()[:, 0]
        norms = np.sqrt(vectors.multiply(vectors).sum(1).A1)
        similarities = divide_dots(dots, norms[:-1] * norms[-1], self.shrink)
        nearest = np.argsort(-similarities, kind="stable")[: self.topk]
        return torch.from_numpy(known[nearest].T @ similarities[nearest].astype(np.float32))

    def _sum_votes(self, users: Tensor) -> Tensor:
        rows, neighbours, similarities = self.neighbours.read_rows(users)
        places, items = self.history.list_pairs(neighbours)
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

    Paudel et al. 2017: each step's probability is raised to the power `alpha`, and the weight of an
    item that is reached is divided by its number of interactions to the power `beta`. As in Ferrari
    Dacrema et al. 2021, the `topk` largest weights stay of the items reached from an item, scaled
    to sum to 1 if `normalize`, and then the `topk` largest ones of each item that is reached.
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

    def compute_item_weights(self, interactions: csr_matrix) -> csr_matrix:
        from sklearn.preprocessing import normalize

        to_items = normalize(interactions, norm="l1").power(self.alpha)
        to_users = normalize(interactions.T.tocsr(), norm="l1").power(self.alpha)
        # those without interactions are never reached
        popularity = np.maximum(np.bincount(interactions.indices, minlength=self.n_items), 1)
        penalty = (popularity**-self.beta).astype(np.float32)
        weights = find_largest_products(
            to_users, to_items, self.topk, lambda _, walks: walks * penalty
        )
        if self.normalize:
            weights = normalize(weights, norm="l1")
        return keep_largest_of_rows(weights.T.tocsr(), self.topk)


def weight_entries(vectors: csr_matrix, weighting: Weighting) -> csr_matrix:
    """Weight the entries of the rows to compare by how much they tell about their row.

    tfidf: an entry of a column with n of the N rows counts log(N / (1 + n)) (Salton and Buckley
    1988). bm25: in addition it counts less in long rows (Robertson et al. 1995).
    """
    if weighting == "none":
        return vectors
    n_rows, n_columns = vectors.shape
    in_column = np.bincount(vectors.indices, minlength=n_columns)
    # a column that nearly all rows have tells nothing; no less than that
    weights = np.log(n_rows / (1 + in_column)).clip(min=0)[vectors.indices]
    if weighting == "bm25":
        lengths = np.diff(vectors.indptr)
        longer = BM25_B * lengths / lengths.mean() + 1 - BM25_B
        weights = weights * (BM25_K1 + 1) / (BM25_K1 * np.repeat(longer, lengths) + 1)
    changed = vectors.copy()
    changed.data = weights.astype(vectors.dtype)
    return changed


def find_cosine_neighbours(vectors: csr_matrix, topk: int, shrink: float) -> csr_matrix:
    """Find the `topk` most similar rows of each row: a . b / (|a| |b| + shrink), sparse [n, n].

    Shrinkage favours similarities that rest on many interactions.
    """
    norms = np.sqrt(vectors.multiply(vectors).sum(1).A1)

    def compute_similarities(rows: slice, dots: Block) -> Block:
        return divide_dots(dots, norms[rows, None] * norms, shrink)

    return find_largest_products(vectors, vectors.T.tocsr(), topk, compute_similarities)


def divide_dots(dots: Block, lengths: Block, shrink: float) -> Block:
    """Return similarities: products of rows by the products of their norms plus `shrink`."""
    # empty rows would divide by zero without shrinkage
    return dots / np.maximum(lengths + shrink, np.finfo(np.float32).tiny)


def keep_largest_of_rows(matrix: csr_matrix, topk: int) -> csr_matrix:
    """Keep the `topk` largest entries of each row, and the first among equal ones."""
    from scipy.sparse import csr_matrix

    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, rows))
    kept = order[np.arange(len(order)) - matrix.indptr[rows] < topk]
    return csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)


def find_largest_products(
    left: csr_matrix, right: csr_matrix, topk: int, change: Callable[[slice, Block], Block]
) -> csr_matrix:
    """Find the `topk` largest positive entries of each row of `left @ right`, off the diagonal.

    `change` turns the rows and the product's block [rows, n] into the entries to compare.
    """
    from scipy.sparse import csr_matrix

    n = left.shape[0]
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows, block in multiply_in_blocks(left, right, "neighbours"):
        entries = torch.from_numpy(change(rows, block))
        entries.diagonal(rows.start).zero_()
        values, columns = entries.topk(min(topk, n))
        kept = values > 0
        row = torch.arange(rows.start, rows.stop)[:, None].expand_as(kept)
        found.append((values[kept], row[kept], columns[kept]))
    data, *places = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return csr_matrix((data, tuple(places)), shape=(n, n))

"""Interactions as a sparse matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from src.data.interactions import Interactions, encode_distinct_pairs

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Entries of a dense block of products: 64 MB of float32
ENTRIES_PER_BLOCK = 1 << 24


def interaction_matrix(data: Interactions) -> csr_matrix:
    """Return a matrix with 1 where a user has an item, float32 [n_users, n_items]; repeats as 1."""
    from scipy.sparse import csr_matrix

    pairs = encode_distinct_pairs(data.users, data.items, data.n_items)
    users, items = np.divmod(pairs, data.n_items)
    starts = np.searchsorted(users, np.arange(data.n_users + 1))
    shape = (data.n_users, data.n_items)
    return csr_matrix((np.ones(len(pairs), np.float32), items, starts), shape=shape)


def multiply_in_blocks(
    left: csr_matrix, right: csr_matrix, name: str
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield `left @ right` in dense blocks of rows: which rows, and the block [rows, columns].

    `name` stands before the progress bar, which a terminal shows.
    """
    n_rows, n_columns = left.shape[0], right.shape[1]
    step = max(1, ENTRIES_PER_BLOCK // n_columns)
    for start in tqdm(range(0, n_rows, step), name, disable=None, leave=False):
        rows = slice(start, min(start + step, n_rows))
        yield rows, (left[rows] @ right).toarray()

"""Interactions as a bipartite graph, in sparse matrices.

Users are nodes 0 to n_users - 1, and items follow. An interaction is an edge of weight 1, however
often it is repeated. Weights are float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def adjacency(data: Interactions, *, self_loops: bool = False) -> csr_array:
    """Return A [n, n], n = n_users + n_items; with `self_loops` A + I (Kipf & Welling 2017, 2)."""
    from scipy.sparse import block_array, eye_array

    edges = _select_edges(data)
    matrix = block_array([[None, edges], [edges.T, None]], format="csr")
    return (matrix + eye_array(matrix.shape[0])).tocsr() if self_loops else matrix


def degree(adjacency: csr_array) -> NDArray[np.float64]:
    """Return the sum of the weights at each node [n]: its row's sum."""
    return np.asarray(adjacency.sum(axis=1), dtype=np.float64)


def laplacian(adjacency: csr_array) -> csr_array:
    """Return L = D - A [n, n], D the diagonal matrix of degrees."""
    from scipy.sparse import diags_array

    return (diags_array(degree(adjacency)) - adjacency).tocsr()


def normalized_adjacency(adjacency: csr_array) -> csr_array:
    """Return D^-1/2 A D^-1/2: an edge between nodes of degrees d and e weighs 1 / sqrt(d e).

    Rows of isolated nodes stay zero.
    """
    degrees = degree(adjacency)
    scale = np.zeros_like(degrees)
    np.divide(1, np.sqrt(degrees), out=scale, where=degrees > 0)
    normalized = adjacency.copy()
    # one product of both factors, so that the rounding is the same on both sides of the diagonal
    normalized.data *= np.repeat(scale, np.diff(adjacency.indptr)) * scale[adjacency.indices]
    return normalized


def normalized_laplacian(adjacency: csr_array) -> csr_array:
    """Return I - D^-1/2 A D^-1/2 without the ones of isolated nodes (Chung 1997, section 1.2)."""
    from scipy.sparse import diags_array

    connected = (degree(adjacency) > 0).astype(np.float64)
    return (diags_array(connected) - normalized_adjacency(adjacency)).tocsr()


def user_projection(data: Interactions) -> csr_array:
    """Count the items that two users have in common [n_users, n_users]; 0 on the diagonal."""
    return _count_common_neighbours(_select_edges(data))


def item_projection(data: Interactions) -> csr_array:
    """Count the users that two items have in common [n_items, n_items]; 0 on the diagonal."""
    return _count_common_neighbours(_select_edges(data).T.tocsr())


def _count_common_neighbours(edges: csr_array) -> csr_array:
    """Count the columns that two rows of edges have in common; 0 on the diagonal."""
    common = (edges @ edges.T).tocsr()
    common.setdiag(0)
    common.eliminate_zeros()
    return common


def _select_edges(data: Interactions) -> csr_array:
    """Return the users' rows and the items' columns of the adjacency [n_users, n_items]."""
    from scipy.sparse import csr_array

    return csr_array(interaction_matrix(data), dtype=np.float64)

"""The bipartite graph: matrices by hand, against networkx, and their laws."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.algorithms import bipartite

from src.data.graph_matrices import (
    adjacency,
    degree,
    item_projection,
    laplacian,
    normalized_adjacency,
    normalized_laplacian,
    user_projection,
)
from src.data.interactions import Interactions
from tests.data.fakes import interactions

FEW = settings(max_examples=50)

N_ITEMS = 4
# user 2 and item 3 are isolated, and user 1 did item 2 twice
SMALL = interactions([[0, 1, 2], [2, 2], []], N_ITEMS)


@st.composite
def graphs(draw: st.DrawFn) -> Interactions:
    """Small graphs, isolated nodes and repeated interactions included."""
    n_items = draw(st.integers(1, 6))
    items = st.lists(st.integers(0, n_items - 1), max_size=8)
    return interactions(draw(st.lists(items, min_size=1, max_size=6)), n_items)


def as_networkx(data: Interactions) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(data.n_users + data.n_items))
    items = (data.n_users + data.items).tolist()
    graph.add_edges_from(zip(data.users.tolist(), items, strict=True))
    return graph


def test_adjacency_by_hand() -> None:
    assert adjacency(SMALL).toarray().tolist() == [
        [0, 0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    assert degree(adjacency(SMALL)).tolist() == [3, 1, 0, 1, 1, 2, 0]


def test_normalized_adjacency_by_hand() -> None:
    data = interactions([[0, 1], [1]], 2)  # degrees 2, 1; 1, 2
    half, root = 1 / 2, 1 / 2**0.5
    expected = [[0, 0, root, half], [0, 0, 0, root], [root, 0, 0, 0], [half, root, 0, 0]]
    np.testing.assert_allclose(normalized_adjacency(adjacency(data)).toarray(), expected)


def test_self_loops_by_hand() -> None:
    # A + I has degrees 2, 2 and 1
    data = interactions([[0], []], 1)
    looped = adjacency(data, self_loops=True)
    assert looped.toarray().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    expected = [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]]
    np.testing.assert_allclose(normalized_adjacency(looped).toarray(), expected)


def test_isolated_nodes_have_rows_of_zeros() -> None:
    plain = adjacency(SMALL)
    for matrix in (normalized_adjacency(plain), normalized_laplacian(plain), laplacian(plain)):
        assert not matrix[[2, 6]].toarray().any()
        assert np.isfinite(matrix.toarray()).all()


def test_no_interactions() -> None:
    none = interactions([[], []], 3)
    for matrix in (normalized_adjacency(adjacency(none)), normalized_laplacian(adjacency(none))):
        assert matrix.shape == (5, 5)
        assert not matrix.toarray().any()
    assert not user_projection(none).toarray().any()


def test_projections_by_hand() -> None:
    data = interactions([[0, 1, 2], [1, 2], [3]], N_ITEMS)
    assert user_projection(data).toarray().tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert item_projection(data).toarray().tolist() == [
        [0, 1, 1, 0],
        [1, 0, 2, 0],
        [1, 2, 0, 0],
        [0, 0, 0, 0],
    ]


@FEW
@given(graphs())
def test_matrices_are_networkxs(data: Interactions) -> None:
    graph = as_networkx(data)
    ours = adjacency(data)
    nodes = range(len(graph))
    for matrix, expected in (
        (ours, nx.adjacency_matrix(graph, nodes)),
        (laplacian(ours), nx.laplacian_matrix(graph, nodes)),
        (normalized_laplacian(ours), nx.normalized_laplacian_matrix(graph, nodes)),
    ):
        np.testing.assert_allclose(matrix.toarray(), expected.toarray(), atol=1e-15)


@FEW
@given(graphs())
def test_projections_are_networkxs(data: Interactions) -> None:
    graph, n_users = as_networkx(data), data.n_users
    for projection, nodes in (
        (user_projection(data), range(n_users)),
        (item_projection(data), range(n_users, len(graph))),
    ):
        expected = bipartite.weighted_projected_graph(graph, nodes)
        # networkx forgets the order of the nodes that it is given
        weights = nx.adjacency_matrix(expected, list(nodes), weight="weight")
        np.testing.assert_array_equal(projection.toarray(), weights.toarray())


@pytest.mark.parametrize("self_loops", [False, True])
@FEW
@given(data=graphs())
def test_laws(data: Interactions, self_loops: bool) -> None:
    plain = adjacency(data, self_loops=self_loops)
    normalized = normalized_adjacency(plain).toarray()
    for matrix in (plain.toarray(), normalized, user_projection(data).toarray()):
        np.testing.assert_array_equal(matrix, matrix.T)  # to the last bit
    np.testing.assert_allclose(laplacian(plain).sum(axis=1), 0, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(normalized)
    assert eigenvalues.min() >= -1 - 1e-12
    assert eigenvalues.max() <= 1 + 1e-12


@FEW
@given(graphs())
def test_the_graph_is_bipartite(data: Interactions) -> None:
    # paths of two steps lead from users to users and from items to items
    twice = (adjacency(data) @ adjacency(data)).toarray()
    assert not twice[: data.n_users, data.n_users :].any()

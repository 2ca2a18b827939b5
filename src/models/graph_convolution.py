"""Recommenders that smooth embeddings over the graph of training interactions: LightGCN and GCN."""

from __future__ import annotations

from typing import Annotated, Any, Self

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag

from src.data.graph_matrices import adjacency, normalized_adjacency
from src.data.interactions import Interactions
from src.models.recommender import Dropout, Factors, Recommender
from src.models.stored import Stored

NumLayers = Annotated[int, Ge(1), Le(100)]

# LightGCN's released code
EMBEDDING_STD = 0.1


class Graph(Stored):
    """The normalized adjacency of users and items, saved with the model that scores by it."""

    starts: Tensor
    """int32 [n + 1], n = n_users + n_items: node v's edges lie from starts[v] to starts[v + 1]."""
    neighbours: Tensor
    """int32 [edges], node by node."""
    weights: Tensor
    """float [edges]"""

    def __init__(self, n_nodes: int, *, self_loops: bool) -> None:
        super().__init__()
        self.self_loops = self_loops
        none = torch.zeros(0, dtype=torch.int32)
        starts = torch.zeros(n_nodes + 1, dtype=torch.int32)
        self.store(starts=starts, neighbours=none, weights=torch.zeros(0))

    def observe(self, train: Interactions) -> None:
        """Store the normalized adjacency of the training interactions."""
        matrix = normalized_adjacency(adjacency(train, self_loops=self.self_loops))
        self.store(
            starts=torch.from_numpy(matrix.indptr).int(),
            neighbours=torch.from_numpy(matrix.indices).int(),
            weights=torch.from_numpy(matrix.data).to(self.weights.dtype),
        )

    def propagate(self, rows: Tensor) -> Tensor:
        """Multiply D^-1/2 A D^-1/2 by `rows` [n, width]: weighted sums over neighbours."""
        # autocast may hand over half precision
        rows = rows.to(self.weights.dtype)
        return _Propagation.apply(rows, self.starts, self.neighbours, self.weights)


class _Propagation(torch.autograd.Function):
    """A propagation whose gradient is propagated alike, for a symmetric matrix is its transpose.

    As sums over bags of rows it takes a third of the time of torch's own sparse products, and a
    twentieth of the time of their gradients.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, starts: Tensor, neighbours: Tensor, weights: Tensor
    ) -> Tensor:
        ctx.save_for_backward(starts, neighbours, weights)
        return _sum_neighbours(rows, starts, neighbours, weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _sum_neighbours(gradient, *ctx.saved_tensors), None, None, None


def _sum_neighbours(rows: Tensor, starts: Tensor, neighbours: Tensor, weights: Tensor) -> Tensor:
    return embedding_bag(
        neighbours,
        rows.contiguous(),
        starts,
        mode="sum",
        per_sample_weights=weights,
        include_last_offset=True,
    )


class GraphRecommender(Recommender):
    """A model that scores by dot products of users' and items' embeddings after convolution.

    A subclass implements `convolve`.
    """

    def __init__(self, n_users: int, n_items: int, factors: int, *, self_loops: bool) -> None:
        super().__init__(n_users, n_items)
        self.graph = Graph(n_users + n_items, self_loops=self_loops)
        self.embedding = nn.Embedding(n_users + n_items, factors)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        self._convolved: _Convolved | None = None

    def observe(self, train: Interactions) -> None:
        self.graph.observe(train)

    def convolve(self) -> Tensor:
        """Compute the final vectors of all users, then all items: [n_users + n_items, factors]."""
        raise NotImplementedError

    def compute_vectors(self) -> Tensor:
        """Return the convolved vectors, kept until a weight changes where nothing is learned."""
        sources = [*self.parameters(), *self.buffers()]
        if self.training or torch.is_grad_enabled() or any(s.is_inference() for s in sources):
            # an optimizer's fused kernels leave no trace in the weights' versions
            self._convolved = None
            return self.convolve()
        if self._convolved is None or not self._convolved.is_made_of(sources):
            self._convolved = _Convolved(sources, self.convolve())
        return self._convolved.vectors

    def train(self, mode: bool = True) -> Self:
        self._convolved = None
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Self:
        # .double(), .to(device) and the like, which torch does not count as changes
        self._convolved = None
        return super()._apply(*args, **kwargs)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        vectors = self.compute_vectors()
        user, item = embedding(users, vectors), embedding(items + self.n_users, vectors)
        return (user * item).sum(-1)

    def score_all(self, users: Tensor) -> Tensor:
        vectors = self.compute_vectors()
        return vectors[users] @ vectors[self.n_users :].t()

    def user_rows(self, users: Tensor) -> Tensor:
        """Return embeddings before convolution.

        These alone are regularized (He et al. 2020, equation 15).
        """
        return self.embedding(users)

    def item_rows(self, items: Tensor) -> Tensor:
        """Return embeddings before convolution."""
        return self.embedding(items + self.n_users)

    def item_vectors(self) -> Tensor:
        """Return the vectors of all items after convolution: [n_items, factors]."""
        return self.compute_vectors()[self.n_users :]


class _Convolved:
    """The vectors of a convolution, and the tensors that they were made from."""

    def __init__(self, sources: list[Tensor], vectors: Tensor) -> None:
        self.sources, self.vectors = sources, vectors
        self.versions = [source._version for source in sources]

    def is_made_of(self, sources: list[Tensor]) -> bool:
        """Tell whether `sources` are the same tensors, not changed in place since."""
        return len(sources) == len(self.sources) and all(
            mine is theirs and version == theirs._version
            for mine, version, theirs in zip(self.sources, self.versions, sources, strict=True)
        )


class LightGCN(GraphRecommender):
    """LightGCN: the mean of embeddings propagated 0 to `n_layers` times (He et al. 2020)."""

    def __init__(
        self, n_users: int, n_items: int, factors: Factors = 64, n_layers: NumLayers = 3
    ) -> None:
        super().__init__(n_users, n_items, factors, self_loops=False)
        self.n_layers = n_layers

    def convolve(self) -> Tensor:
        # E + A E + A A E + ... as E + A (E + A (E + ...)), which keeps no layer but the last
        # (equations 4 and 8, with the paper's weights of 1 / (1 + n_layers))
        rows = self.embedding.weight
        total = rows
        for _ in range(self.n_layers):
            total = rows + self.graph.propagate(total)
        return total / (1 + self.n_layers)


class GCN(GraphRecommender):
    """Graph convolutions with weights and ReLU (Kipf & Welling 2017, equations 2 and 9).

    Nodes have no features here but the embeddings that are learned with the weights. The last layer
    has no ReLU, so that scores can be of either sign. Dropout is on the input of every layer.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 64,
        n_layers: NumLayers = 2,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__(n_users, n_items, factors, self_loops=True)
        layers = [nn.Linear(factors, factors, bias=False) for _ in range(n_layers)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)

    def convolve(self) -> Tensor:
        rows = self.embedding.weight
        for depth, layer in enumerate(self.layers):
            inputs = rows.relu() if depth else rows
            rows = self.graph.propagate(layer(self.dropout(inputs)))
        return rows

"""The form that GMF, MLP, NeuMF and MF share, which is trained and ranked by compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from src.models.embedding_table import EmbeddingTable


class PairNetwork(NamedTuple):
    """score = bias + w · [p * q ; tower(p', q')] + b_u + b_i.

    A row of the table is its factors p, its half p' of what goes into the tower, and its bias b.
    """

    table: EmbeddingTable
    n_users: int
    """The table holds so many rows of users, and then the items'."""
    factors: int
    half: int = 0
    biases: bool = False
    hidden: tuple[nn.Linear, ...] = ()
    """The tower's layers, each followed by a ReLU; without any the tower is [p' ; q'] itself."""
    dropout: float = 0.0
    """After every ReLU."""
    weight: nn.Parameter | None = None
    """w [1, n]; None stands for ones."""
    bias: nn.Parameter | None = None
    """Of one number; None stands for 0."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """List all parameters but the table's."""
        for layer in self.hidden:
            yield from layer.parameters()
        yield from (p for p in (self.weight, self.bias) if p is not None)

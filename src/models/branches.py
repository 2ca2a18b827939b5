"""The two halves of neural collaborative filtering: each turns a pair into a feature vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from src.errors import UserError

# He et al. 2017, section 4.1, "Parameter Settings"
EMBEDDING_STD = 0.01


class Branch(nn.Module):
    """Own embeddings of users and items, and a way to combine them."""

    def __init__(self, n_users: int, n_items: int, width: int, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.user = nn.Embedding(n_users, width)
        self.item = nn.Embedding(n_items, width)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=EMBEDDING_STD)


class GMFBranch(Branch):
    """Element-wise product of the two embeddings (He et al. 2017, equation 8)."""

    def __init__(self, n_users: int, n_items: int, factors: int) -> None:
        super().__init__(n_users, n_items, factors, factors)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Broadcast ids -> features [..., factors]."""
        return self.user(users) * self.item(items)


class MLPBranch(Branch):
    """A tower of ReLU layers over the two embeddings side by side (He et al. 2017, equation 10).

    Dropout follows the ReLU of every hidden layer, the last included; the embeddings themselves
    are never dropped. The paper uses none.
    """

    def __init__(self, n_users: int, n_items: int, layers: Sequence[int], dropout: float) -> None:
        """`layers`: width of the two embeddings together, then of each hidden layer."""
        super().__init__(n_users, n_items, layers[0] // 2, layers[-1])
        hidden = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(layers)]
        for layer in hidden:
            # the released code's defaults: Keras' Glorot-uniform weights and zero biases
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.hidden = nn.ModuleList(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Broadcast ids -> features [..., layers[-1]]."""
        user, item = self.user(users), self.item(items)
        if not self.hidden:
            shape = torch.broadcast_shapes(user.shape[:-1], item.shape[:-1])
            return torch.cat([user.expand(*shape, -1), item.expand(*shape, -1)], dim=-1)
        first, *rest = cast("list[nn.Linear]", list(self.hidden))
        # W [p; q] = W_p p + W_q q: a user's half is computed once for all the items it meets
        of_user, of_item = first.weight.split(self.user.embedding_dim, dim=1)
        features = linear(user, of_user, first.bias) + linear(item, of_item)
        features = self.dropout(relu(features))
        for layer in rest:
            features = self.dropout(relu(layer(features)))
        return features


def tower(factors: int, num_layers: int, layers: Sequence[int] | None) -> list[int]:
    """Layer widths of the MLP: `layers` as given, or halving down to `factors` (section 4.1).

    factors=8, num_layers=3 -> [64, 32, 16, 8]: two embeddings of 32, then three hidden layers.
    Raises UserError when the first width can't be shared by two embeddings.
    """
    widths = (
        list(layers)
        if layers is not None
        else [factors * 2**depth for depth in range(num_layers, -1, -1)]
    )
    name = f"model.layers={widths}" if layers is not None else f"model.factors={factors}"
    if not widths or widths[0] % 2:
        raise UserError(
            f"{name}: the first width is shared by the user's and the item's embedding, "
            "so it must be there and be even"
        )
    return widths

"""Variants of neural collaborative filtering that tutorials and ports use."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le, MinLen
from torch import Tensor, nn

from src.models.embedded import Embedded
from src.models.embedding_table import EmbeddingTable
from src.models.pair_scores import add_whole_tower, can_score
from src.models.recommender import Dropout, Factors, Layers

ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky-relu": nn.LeakyReLU,
}
Activation = Literal["relu", "gelu", "tanh", "sigmoid", "leaky-relu"]


class GeneralNCF(Embedded):
    """The general framework (He et al. 2017, equation 4) as small ports of the paper write it.

    Embeddings of out_size * 2^(num_layers - 1) columns go side by side through `num_layers` layers
    that each halve the width, down to `out_size`. Unlike in `MLP`, dropout comes *before* each
    layer, so that the embeddings are dropped too and the last hidden layer is not.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        out_size: Factors = 8,
        num_layers: Annotated[int, Ge(1), Le(100)] = 3,
        dropout: Dropout = 0.0,
    ) -> None:
        super().__init__(n_users, n_items)
        width = out_size * 2**num_layers
        self.table = EmbeddingTable(n_users + n_items, width // 2)
        nn.init.normal_(self.table.weight, std=0.01)
        layers: list[nn.Module] = []
        while width > out_size:
            linear = nn.Linear(width, width // 2)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [nn.Dropout(dropout), linear, nn.ReLU()]
            width //= 2
        self.tower = nn.Sequential(*layers)
        self.output = nn.Linear(out_size, 1)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        rows = torch.broadcast_tensors(self.user_rows(users), self.item_rows(items))
        return self.output(self.tower(torch.cat(rows, dim=-1))).squeeze(-1)

    def score_all(self, users: Tensor) -> Tensor:
        if not can_score(self, users):
            return super().score_all(users)
        hidden = [layer for layer in self.tower if isinstance(layer, nn.Linear)]
        scores = self.output.bias.repeat(len(users), self.n_items)
        rows, every = self.user_rows(users), self.table.weight[self.n_users :]
        return add_whole_tower(scores, rows, every, hidden, self.output.weight[0])


class RecoHutNCF(Embedded):
    """NeuMF as in the RecoHut notebooks (after RecLearn): a sigmoid on the product of GMF.

    Four embeddings of `factors` columns; a tower of `hidden_units` with one dropout after it; a
    linear layer over the squashed product and the tower's output side by side. To be trained with
    `BalancedBCE` and L2 of 1e-6 on the embeddings.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 32,
        hidden_units: Annotated[Layers, MinLen(1)] = [256, 128, 64],  # noqa: B006
        activation: Activation = "relu",
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__(n_users, n_items)
        # a row: the columns of GMF, then those of the tower
        self.activation = activation
        self.table = EmbeddingTable(n_users + n_items, 2 * factors)
        nn.init.normal_(self.table.weight, std=0.05)  # Keras' random_normal
        layers: list[nn.Module] = []
        width = 2 * factors
        for units in hidden_units:
            layers += [nn.Linear(width, units), ACTIVATIONS[activation]()]
            width = units
        self.tower = nn.Sequential(*layers, nn.Dropout(dropout))
        self.output = nn.Linear(factors + width, 1)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        user, item = torch.broadcast_tensors(self.user_rows(users), self.item_rows(items))
        (gmf_user, mlp_user), (gmf_item, mlp_item) = user.chunk(2, -1), item.chunk(2, -1)
        product = torch.sigmoid(gmf_user * gmf_item)
        deep = self.tower(torch.cat([mlp_user, mlp_item], dim=-1))
        return self.output(torch.cat([product, deep], dim=-1)).squeeze(-1)

    def score_all(self, users: Tensor) -> Tensor:
        if self.activation != "relu" or not can_score(self, users):
            return super().score_all(users)
        gmf_users, mlp_users = self.user_rows(users).chunk(2, -1)
        gmf_items, mlp_items = self.table.weight[self.n_users :].chunk(2, -1)
        of_product, of_tower = self.output.weight[0].tensor_split([gmf_users.shape[1]])
        products = [torch.sigmoid(user * gmf_items) @ of_product for user in gmf_users]
        scores = torch.stack(products) + self.output.bias
        hidden = [layer for layer in self.tower if isinstance(layer, nn.Linear)]
        return add_whole_tower(scores, mlp_users, mlp_items, hidden, of_tower)

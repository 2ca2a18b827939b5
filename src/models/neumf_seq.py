"""NeuMF beside a history: product and perceptron where the order matters."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from src.models.branches import MLPBranch, tower
from src.models.ncf import EMBEDDING_STD
from src.models.recommender import Dropout, Factors, Layers, NumLayers
from src.models.sequence_encoder import SequenceEncoder
from src.models.sequential import Length, NumBlocks, SequentialRecommender, multiply


class NeuMFSeq(SequentialRecommender):
    """GMF and MLP (He et al. 2017) of a user who is known by his own row and by his history.

    In both branches the user's vector is the sum of his row and the state of his history by
    self-attention (Kang & McAuley 2018): GMF multiplies it with the item's embedding, which the
    history is read by, too; the MLP has rows of its own. Alone, each asks whether a product or a
    perceptron is the better match (Rendle et al. 2020) of an item with a history.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 50,
        num_layers: NumLayers = 1,
        layers: Layers | None = None,
        length: Length = 200,
        num_blocks: NumBlocks = 2,
        dropout: Dropout = 0.2,
        branches: Literal["both", "gmf", "mlp"] = "both",
    ) -> None:
        """`factors`: of a state, of GMF, and of the MLP's last layer, unless `layers` are given."""
        encoder = SequenceEncoder(n_items, factors, length, num_blocks, dropout)
        super().__init__(n_users, n_items, encoder)
        self.gmf = GMFOfHistory(n_users, factors) if branches != "mlp" else None
        widths = tower(factors, num_layers, layers)
        self.mlp = MLPOfHistory(n_users, n_items, factors, widths) if branches != "gmf" else None
        self.dropout = nn.Dropout(dropout)

    def match(self, users: Tensor, states: Tensor, items: Tensor) -> Tensor:
        logits = states.new_zeros(())
        if self.gmf is not None:
            user = states + self.dropout(self.gmf.users(users))[:, None]
            logits = logits + self.gmf(user, self.encoder.items(items))
        if self.mlp is not None:
            user = self.mlp.of_state(states) + self.dropout(self.mlp.users(users))[:, None]
            logits = logits + self.mlp(user, self.mlp.items(items))
        return logits

    def match_all(self, users: Tensor, states: Tensor) -> Tensor:
        rows = [None if part is None else part.users(users) for part in (self.gmf, self.mlp)]
        return self._match_all(states, *rows)

    def fold_in(self, items: Tensor) -> Tensor:
        """Score by the history alone: a row begins near 0, and nothing was learned of this one."""
        return self._match_all(self.encode_items(items)[None])[0]

    def _match_all(
        self, states: Tensor, of_gmf: Tensor | None = None, of_mlp: Tensor | None = None
    ) -> Tensor:
        """Return logits of every item after states, with users' rows of each branch if any."""
        logits = states.new_zeros(())
        if self.gmf is not None:
            user = states if of_gmf is None else states + of_gmf
            logits = logits + self.gmf(user[None], self.encoder.items.weight[None, None, :-1])[0]
        if self.mlp is not None:
            user = self.mlp.of_state(states)
            user = user if of_mlp is None else user + of_mlp
            logits = logits + self.mlp.score_all(user)
        return logits


class GMFOfHistory(nn.Module):
    """A weighted product of a user's vector with an item's (He et al. 2017, equation 9)."""

    def __init__(self, n_users: int, factors: int) -> None:
        super().__init__()
        self.users = make_table(n_users, factors)
        self.weight = nn.Parameter(torch.ones(factors))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return logits of vectors [P, L, factors] and [P, L or 1, C, factors]: [P, L, C]."""
        return multiply(user * self.weight, item)


class MLPOfHistory(nn.Module):
    """A perceptron over both vectors (He et al. 2017, equation 10), with its output layer."""

    def __init__(self, n_users: int, n_items: int, factors: int, widths: list[int]) -> None:
        super().__init__()
        # what drops out does so in the vectors already
        self.branch = MLPBranch(widths, 0.0)
        self.users = make_table(n_users, self.branch.width)
        self.items = make_table(n_items, self.branch.width)
        self.of_state = nn.Linear(factors, self.branch.width, bias=False)
        self.output = nn.Linear(self.branch.n_features, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return logits of vectors [P, L, width] and [P, L or 1, C, width]: [P, L, C]."""
        logits: Tensor = self.output(self.branch(user[:, :, None], item))
        return logits[..., 0]

    def score_all(self, user: Tensor) -> Tensor:
        """Return logits of every item: [P, width] -> [P, n_items]."""
        weight = self.output.weight[0]
        return self.branch.score_all(user, self.items.weight, weight) + self.output.bias


def make_table(n: int, width: int) -> nn.Embedding:
    """Make an embedding as the paper does (section 4.1)."""
    table = nn.Embedding(n, width)
    nn.init.normal_(table.weight, std=EMBEDDING_STD)
    return table

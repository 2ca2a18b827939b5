"""NeuMF beside a history: product and perceptron where the order matters."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from src.models.ncf import EMBEDDING_STD
from src.models.recommender import Dropout, Factors
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
        hidden: Factors = 32,
        length: Length = 200,
        num_blocks: NumBlocks = 2,
        dropout: Dropout = 0.2,
        branches: Literal["both", "gmf", "mlp"] = "both",
    ) -> None:
        """`factors`: of a state and of GMF; `hidden`: width of the MLP's hidden layer."""
        encoder = SequenceEncoder(n_items, factors, length, num_blocks, dropout)
        super().__init__(n_users, n_items, encoder)
        self.gmf = GMFOfHistory(factors) if branches != "mlp" else None
        self.mlp = MLPOfHistory(n_items, factors, hidden) if branches != "gmf" else None
        self.widths = [factors * (branches != "mlp"), hidden * (branches != "gmf")]
        self.users = make_table(n_users, sum(self.widths))
        self.dropout = nn.Dropout(dropout)

    def describe(self, users: Tensor, states: Tensor) -> Tensor:
        return self._project(states) + self.dropout(self.users(users))[:, None]

    def match(self, vectors: Tensor, items: Tensor) -> Tensor:
        for_gmf, for_mlp = vectors.split_with_sizes(self.widths, dim=-1)
        logits = vectors.new_zeros(())
        if self.gmf is not None:
            logits = logits + self.gmf(for_gmf, self.encoder.items(items))
        if self.mlp is not None:
            logits = logits + self.mlp(for_mlp, self.mlp.items(items))
        return logits

    def fold_in(self, items: Tensor) -> Tensor:
        """Score by the history alone: of this user no row was learned."""
        return self.match_all(self._project(self.encode_items(items)[None]))[0]

    def _project(self, states: Tensor) -> Tensor:
        """Return each branch's part of users' vectors by states [..., factors], side by side."""
        of_gmf = [] if self.gmf is None else [states]
        of_mlp = [] if self.mlp is None else [self.mlp.of_state(states)]
        return torch.cat([*of_gmf, *of_mlp], dim=-1)


class GMFOfHistory(nn.Module):
    """A weighted product of a user's vector with an item's (He et al. 2017, equation 9)."""

    def __init__(self, factors: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(factors))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return logits of vectors [P, L, factors] and [P, L or 1, C, factors]: [P, L, C]."""
        return multiply(user * self.weight, item)


class MLPOfHistory(nn.Module):
    """A perceptron with one hidden layer over both vectors (He et al. 2017, equation 10).

    W [p; q] = W_p p + W_q q, where W_q q of an item's row is as free as the row itself: so rows are
    as wide as the layer, and added up.
    """

    def __init__(self, n_items: int, factors: int, hidden: int) -> None:
        super().__init__()
        # as wide as the states: near 0 they would all lie on one side of each kink
        self.items = make_table(n_items, hidden, std=0.5)
        self.of_state = nn.Linear(factors, hidden)
        self.weight = nn.Parameter(torch.empty(hidden))
        nn.init.uniform_(self.weight, -((3 / hidden) ** 0.5), (3 / hidden) ** 0.5)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return logits of sums [P, L, hidden] and rows [P, L or 1, C, hidden]: [P, L, C]."""
        if item.shape[1] == 1:
            rows = item[:, 0].expand(len(user), -1, -1)
            return cast("Tensor", _Perceptron.apply(user, rows, self.weight))
        return (user[:, :, None] + item).relu() @ self.weight


class _Perceptron(torch.autograd.Function):
    """The perceptron of each of a user's states with each of his items.

    Hidden layers are too large to be kept: they are computed for one user at a time, and again for
    the gradient, such that they stay in cache.
    """

    @staticmethod
    def forward(ctx: Any, user: Tensor, item: Tensor, weight: Tensor) -> Tensor:
        """Return [P, L, C] of sums [P, L, hidden], rows [P, C, hidden] and the output's weight."""
        ctx.save_for_backward(user, item, weight)
        sums = map(_add, user, item)
        return torch.stack([hidden.relu_() @ weight for hidden in sums])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        user, item, weight = ctx.saved_tensors
        of_user, of_item = torch.empty_like(user), torch.empty_like(item)
        of_weight = torch.zeros_like(weight)
        for p, slopes in enumerate(gradient):
            hidden = _add(user[p], item[p])
            passed = torch.ops.aten.threshold_backward(slopes[..., None], hidden, 0)
            of_weight += slopes.flatten() @ hidden.relu_().flatten(0, 1)
            torch.sum(passed, 1, out=of_user[p])
            torch.sum(passed, 0, out=of_item[p])
        return of_user * weight, of_item * weight, of_weight


def _add(user: Tensor, item: Tensor) -> Tensor:
    """Add each to each: [L, hidden], [C, hidden] -> [L, C, hidden]."""
    return user[:, None] + item


def make_table(n: int, width: int, std: float = EMBEDDING_STD) -> nn.Embedding:
    """Make an embedding as the paper does (section 4.1)."""
    table = nn.Embedding(n, width)
    nn.init.normal_(table.weight, std=std)
    return table

"""The branches of neural collaborative filtering: each turns a pair into a feature vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from src.errors import UserError

# Pairs that a GPU scores at a time: the widest layer of so many is 4 GB at 256 features
PAIRS_TOGETHER = 1 << 22


class Rows(NamedTuple):
    """Embeddings of users and items, or their gradients, in shapes that broadcast together."""

    user: Tensor
    item: Tensor


class Branch(nn.Module):
    """A module that combines `width` columns of the user's and of the item's row into features.

    Its gradients are written out in `backward`, because autograd's bookkeeping costs more than the
    arithmetic of a small batch.
    """

    def __init__(self, width: int, n_features: int) -> None:
        super().__init__()
        self.width, self.n_features = width, n_features

    def activations(self, user: Tensor, item: Tensor) -> list[Tensor]:
        """Return each layer's output, features last, for rows [..., width] that broadcast."""
        raise NotImplementedError

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Compute the features [..., n_features] of rows [..., width] that broadcast together."""
        return self.activations(user, item)[-1]

    def score_all(self, users: Tensor, items: Tensor, weight: Tensor) -> Tensor:
        """Compute features times `weight` of all pairs: [P, width], [n, width], [f] -> [P, n]."""
        raise NotImplementedError

    def backward(self, gradient: Tensor, rows: Rows, outputs: list[Tensor], of_rows: Rows) -> None:
        """Set the gradients of the branch's own parameters, and write those of its inputs.

        gradient [C * P, n_features] is that of the features; rows are [P, width] and
        [C, P, width]; outputs are the branch's `activations` on them. The gradients of the rows
        are written to of_rows [P, width] and [C * P, width].
        """
        raise NotImplementedError


class GMFBranch(Branch):
    """The element-wise product of the two rows (He et al. 2017, equation 8)."""

    def __init__(self, factors: int) -> None:
        super().__init__(factors, factors)

    def activations(self, user: Tensor, item: Tensor) -> list[Tensor]:
        return [user * item]

    def score_all(self, users: Tensor, items: Tensor, weight: Tensor) -> Tensor:
        return (users * weight) @ items.t()

    def backward(self, gradient: Tensor, rows: Rows, outputs: list[Tensor], of_rows: Rows) -> None:
        gradient = gradient.view(rows.item.shape)
        torch.mul(gradient, rows.user, out=of_rows.item.view(rows.item.shape))
        torch.sum(gradient * rows.item, 0, out=of_rows.user)


class MLPBranch(Branch):
    """A tower of ReLU layers over the two rows side by side (He et al. 2017, equation 10).

    Dropout follows the ReLU of every hidden layer, the last included; the rows themselves are never
    dropped. The paper uses none.
    """

    def __init__(self, layers: Sequence[int], dropout: float) -> None:
        """Make layers of widths `layers`: of both rows together, then of each hidden layer."""
        super().__init__(layers[0] // 2, layers[-1])
        hidden = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(layers)]
        for layer in hidden:
            # the released code's defaults: Keras' Glorot-uniform weights and zero biases
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.hidden = nn.ModuleList(hidden)
        self.dropout = nn.Dropout(dropout)

    def activations(self, user: Tensor, item: Tensor) -> list[Tensor]:
        if not self.hidden:
            shape = torch.broadcast_shapes(user.shape[:-1], item.shape[:-1])
            return [torch.cat([user.expand(*shape, -1), item.expand(*shape, -1)], dim=-1)]
        first, *rest = self.list_hidden()
        # W [p; q] = W_p p + W_q q: a user's half is computed once for all the items it meets
        user_weight, item_weight = self._split_weight(first)
        sums = linear(item, item_weight) + linear(user, user_weight, first.bias)
        outputs = [self._activate(sums)]
        for layer in rest:
            outputs.append(self._activate(linear(outputs[-1], layer.weight, layer.bias)))
        return outputs

    def _activate(self, sums: Tensor) -> Tensor:
        output = sums.relu_()
        return self.dropout(output) if self._drops else output

    def score_all(self, users: Tensor, items: Tensor, weight: Tensor) -> Tensor:
        if not self.hidden:
            of_user, of_item = weight.split_with_sizes([self.width, self.width])
            return (users @ of_user)[:, None] + items @ of_item
        if users.is_cuda:
            return self._score_together(users, items, weight)
        return torch.cat(
            [self._score_by_user(users, chunk, weight) for chunk in items.split(4096)], dim=1
        )

    def _score_by_user(self, users: Tensor, items: Tensor, weight: Tensor) -> Tensor:
        """Score one user at a time, feature by feature: all that a user needs stays in cache."""
        first, *rest = self.list_hidden()
        user_weight, item_weight = self._split_weight(first)
        of_items = item_weight @ items.t()
        of_users = linear(users, user_weight, first.bias)
        scores = []
        for of_user in of_users:
            features = self._activate(of_items + of_user[:, None])
            for layer in rest:
                features = self._activate(torch.addmm(layer.bias[:, None], layer.weight, features))
            scores.append(weight @ features)
        return torch.stack(scores)

    def _score_together(self, users: Tensor, items: Tensor, weight: Tensor) -> Tensor:
        """Score as many users at a time as fit: a GPU wants few and large operations."""
        first, *rest = self.list_hidden()
        user_weight, item_weight = self._split_weight(first)
        of_items = linear(items, item_weight)
        of_users = linear(users, user_weight, first.bias)
        scores = []
        for chunk in of_users.split(max(1, PAIRS_TOGETHER // len(items))):
            features = self._activate((of_items + chunk[:, None]).flatten(0, 1))
            for layer in rest:
                features = self._activate(linear(features, layer.weight, layer.bias))
            scores.append((features @ weight).view(len(chunk), -1))
        return torch.cat(scores)

    @property
    def _drops(self) -> bool:
        return self.training and self.dropout.p > 0

    def backward(self, gradient: Tensor, rows: Rows, outputs: list[Tensor], of_rows: Rows) -> None:
        if not self.hidden:
            user_part, item_part = gradient.split_with_sizes([self.width, self.width], dim=1)
            torch.sum(user_part.view(rows.item.shape), 0, out=of_rows.user)
            of_rows.item.copy_(item_part)
            return
        # pairs in one dimension: torch handles matrices with less ado than what has more dimensions
        outputs = [output.flatten(0, 1) for output in outputs]
        first, *rest = self.list_hidden()
        for layer, inputs, output in zip(
            reversed(rest), reversed(outputs[:-1]), reversed(outputs[1:]), strict=True
        ):
            sums = self._propagate_through_activation(gradient, output)
            layer.weight.grad = sums.t() @ inputs
            layer.bias.grad = sums.sum(0)
            gradient = sums @ layer.weight
        sums = self._propagate_through_activation(gradient, outputs[0])
        sums_of_user = sums.view(*rows.item.shape[:2], -1).sum(0)
        first.weight.grad = torch.cat(
            [sums_of_user.t() @ rows.user, sums.t() @ rows.item.flatten(0, 1)], dim=1
        )
        first.bias.grad = sums_of_user.sum(0)
        user_weight, item_weight = self._split_weight(first)
        torch.mm(sums_of_user, user_weight, out=of_rows.user)
        torch.mm(sums, item_weight, out=of_rows.item)

    def _propagate_through_activation(self, gradient: Tensor, output: Tensor) -> Tensor:
        sums = torch.ops.aten.threshold_backward(gradient, output, 0)
        # what was dropped is 0 in the output, as what was negative; the rest was scaled up
        return sums.div_(1 - self.dropout.p) if self._drops else sums

    def _split_weight(self, first: nn.Linear) -> tuple[Tensor, ...]:
        return first.weight.split_with_sizes([self.width, self.width], dim=1)

    def list_hidden(self) -> list[nn.Linear]:
        return cast("list[nn.Linear]", list(self.hidden))


def tower(factors: int, num_layers: int, layers: Sequence[int] | None) -> list[int]:
    """Return the layer widths of the MLP: `layers`, or halving down to `factors` (section 4.1).

    factors=8, num_layers=3 -> [64, 32, 16, 8]: two rows of 32, then three hidden layers.
    Raises UserError when the first width can't be shared by two rows.
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

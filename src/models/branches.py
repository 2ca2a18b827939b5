"""The two halves of neural collaborative filtering: each turns a pair into a feature vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from src.errors import UserError


class Branch(nn.Module):
    """Combines `width` columns of the user's row with as many of the item's into features.

    Its gradients are written out in `backward`, because autograd's bookkeeping costs more than the
    arithmetic of a small batch.
    """

    def __init__(self, width: int, n_features: int) -> None:
        super().__init__()
        self.width, self.n_features = width, n_features

    def activations(self, user: Tensor, item: Tensor) -> list[Tensor]:
        """Output of each layer for rows [..., width] that broadcast together; features last."""
        raise NotImplementedError

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Rows [..., width] that broadcast together -> features [..., n_features]."""
        return self.activations(user, item)[-1]

    def backward(
        self, gradient: Tensor, user: Tensor, item: Tensor, activations: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Sets the gradients of the branch's own parameters and returns those of its inputs.

        gradient [C, P, n_features] of the features, user [P, width], item [C, P, width] ->
        [P, width] and [C, P, width].
        """
        raise NotImplementedError


class GMFBranch(Branch):
    """Element-wise product of the two rows (He et al. 2017, equation 8)."""

    def __init__(self, factors: int) -> None:
        super().__init__(factors, factors)

    def activations(self, user: Tensor, item: Tensor) -> list[Tensor]:
        return [user * item]

    def backward(
        self, gradient: Tensor, user: Tensor, item: Tensor, activations: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        return (gradient * item).sum(0), gradient * user


class MLPBranch(Branch):
    """A tower of ReLU layers over the two rows side by side (He et al. 2017, equation 10).

    Dropout follows the ReLU of every hidden layer, the last included; the rows themselves are never
    dropped. The paper uses none.
    """

    def __init__(self, layers: Sequence[int], dropout: float) -> None:
        """`layers`: width of the two rows together, then of each hidden layer."""
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
        first, *rest = self._hidden()
        # W [p; q] = W_p p + W_q q: a user's half is computed once for all the items it meets
        of_user, of_item = first.weight.split(self.width, dim=1)
        outputs = [self._activate(linear(item, of_item) + linear(user, of_user, first.bias))]
        for layer in rest:
            outputs.append(self._activate(layer(outputs[-1])))
        return outputs

    def _activate(self, sums: Tensor) -> Tensor:
        output = sums.relu_()
        return self.dropout(output) if self._drops else output

    @property
    def _drops(self) -> bool:
        return self.training and self.dropout.p > 0

    def backward(
        self, gradient: Tensor, user: Tensor, item: Tensor, activations: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        if not self.hidden:
            of_user, of_item = gradient.split(self.width, dim=-1)
            return of_user.sum(0), of_item
        first, *rest = self._hidden()
        for layer, output, inputs in zip(
            reversed(rest), reversed(activations[1:]), reversed(activations[:-1]), strict=True
        ):
            sums = self._through_activation(gradient, output)
            layer.weight.grad = sums.flatten(0, 1).t() @ inputs.flatten(0, 1)
            layer.bias.grad = sums.sum((0, 1))
            gradient = sums @ layer.weight
        sums = self._through_activation(gradient, activations[0])
        sums_of_user = sums.sum(0)
        of_user, of_item = first.weight.split(self.width, dim=1)
        first.weight.grad = torch.cat(
            [sums_of_user.t() @ user, sums.flatten(0, 1).t() @ item.flatten(0, 1)], dim=1
        )
        first.bias.grad = sums_of_user.sum(0)
        return sums_of_user @ of_user, sums @ of_item

    def _through_activation(self, gradient: Tensor, output: Tensor) -> Tensor:
        sums = torch.ops.aten.threshold_backward(gradient, output, 0)
        # what was dropped is 0 in the output, as what was negative; the rest was scaled up
        return sums.div_(1 - self.dropout.p) if self._drops else sums

    def _hidden(self) -> list[nn.Linear]:
        return cast("list[nn.Linear]", list(self.hidden))


def tower(factors: int, num_layers: int, layers: Sequence[int] | None) -> list[int]:
    """Layer widths of the MLP: `layers` as given, or halving down to `factors` (section 4.1).

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

"""The written-out gradients in bfloat16, of weights that stay in float32.

Autograd under autocast converts and writes down more than it saves where a batch is a million
examples: this is what the same gradients take without it.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from src.models import NCF
from src.models.branches import MLPBranch
from src.models.embedding_table import EmbeddingTable
from src.models.recommender import GradientLoss


class HalfPrecision:
    """Differentiates a twin of the model, whose layers are copied to bfloat16 at every step."""

    def __init__(self, model: NCF, loss: GradientLoss, compiled: bool = False) -> None:
        """`compiled`: what follows each layer is one kernel, made by torch.compile."""
        twin = type(model)(1, 1, **model.arguments)  # of no size, as the table is the model's own
        twin.to(model.table.weight.device, torch.bfloat16)
        layers = {name: p for name, p in model.named_parameters() if not name.startswith("table.")}
        self.pairs = [(layers[name], p) for name, p in twin.named_parameters() if name in layers]
        twin.n_users, twin.n_items = model.n_users, model.n_items
        twin.table = HalfTable(model.table)  # type: ignore[assignment]
        for branch in twin.branches.values() if compiled else ():
            if isinstance(branch, MLPBranch):
                fuse = partial(torch.compile, dynamic=False)
                branch._activate = fuse(branch._activate)  # type: ignore[method-assign]
                branch._propagate_through_activation = fuse(  # type: ignore[method-assign]
                    branch._propagate_through_activation
                )
        self.twin, self.loss = twin, HalfLoss(loss)

    @torch.no_grad()
    def __call__(self, users: Tensor, items: Tensor) -> Tensor:
        """Sets the model's gradients, float32, and returns the loss."""
        for full, half in self.pairs:
            half.copy_(full)
        value = self.twin.differentiate(users, items, self.loss)
        for full, half in self.pairs:
            assert half.grad is not None
            full.grad = half.grad.float()
        return value


class HalfTable(nn.Module):
    """A table that is read in bfloat16 and taught in float32, where the sum of its gradients is."""

    def __init__(self, table: EmbeddingTable) -> None:
        super().__init__()
        self.table = table
        self.half = torch.empty_like(table.weight, dtype=torch.bfloat16, requires_grad=False)

    def read(self, ids: Tensor) -> Tensor:
        # a step of a million examples reads every row many times: converting the table is less
        self.half.copy_(self.table.weight)
        return self.half.index_select(0, ids)

    def set_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        self.table.set_gradient(ids, gradient.float())


class HalfLoss:
    """A loss of logits in bfloat16, computed in float32."""

    def __init__(self, loss: GradientLoss) -> None:
        self.loss = loss

    def __call__(self, logits: Tensor) -> Tensor:
        return self.loss(logits.float())

    def gradient(self, logits: Tensor) -> Tensor:
        return self.loss.gradient(logits.float()).bfloat16()

"""The written-out gradients in bfloat16, of weights that stay in float32.

Autograd under autocast converts and writes down more than it saves where a batch is a million
examples: this is what the same gradients take without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from src.models import NCF
from src.models.embedding_table import EmbeddingTable
from src.models.recommender import GradientLoss


class HalfPrecision:
    """Differentiates a twin of the model, whose layers are copied to bfloat16 at every step."""

    def __init__(self, model: NCF, loss: GradientLoss) -> None:
        twin = type(model)(1, 1, **model.arguments)  # of no size, as the table is the model's own
        twin.to(model.table.weight.device, torch.bfloat16)
        layers = {name: p for name, p in model.named_parameters() if not name.startswith("table.")}
        self.pairs = [(layers[name], p) for name, p in twin.named_parameters() if name in layers]
        twin.n_users, twin.n_items = model.n_users, model.n_items
        twin.table = HalfTable(model.table)  # type: ignore[assignment]
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

    def read(self, ids: Tensor) -> Tensor:
        return self.table.read(ids).bfloat16()

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

"""Embedding tables, whose rows an optimizer may keep while it trains them."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class RowKeeper(Protocol):
    """A keeper of a table's rows in training, which learns from gradients of the rows read."""

    def read(self, ids: Tensor) -> Tensor:
        """Return the current rows of ids [R]: [R, width]."""

    def add_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradient [R, width] of rows that were read as ids [R]."""


class EmbeddingTable(nn.Embedding):
    """An embedding whose rows are looked up by id; only the rows that were read get a gradient.

    With a `keeper`, training reads the keeper's rows and hands their gradients to it, and `weight`
    is out of date until the keeper writes it back. Evaluation always reads `weight`.
    """

    keeper: RowKeeper | None = None

    def forward(self, ids: Tensor) -> Tensor:
        """Look up the rows of ids of any shape: [...] -> [..., width]."""
        if self.keeper is None or not torch.is_grad_enabled():
            return super().forward(ids)
        return _KeptRows.apply(self.weight, ids, self.keeper)

    def read(self, ids: Tensor) -> Tensor:
        """Return the rows of ids [R] outside autograd: [R, width]."""
        return self.weight.index_select(0, ids) if self.keeper is None else self.keeper.read(ids)

    def set_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        """Set a step's whole gradient: `gradient` [R, width] of rows that were read as ids [R]."""
        if self.keeper is not None:
            self.keeper.add_gradient(ids, gradient)
            return
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
        else:
            self.weight.grad.zero_()
        self.weight.grad.index_add_(0, ids, gradient)


class _KeptRows(torch.autograd.Function):
    """A lookup that reads from the keeper and hands it the gradient; `weight` itself gets none."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, keeper: RowKeeper) -> Tensor:
        ctx.keeper = keeper
        ctx.save_for_backward(ids)
        return keeper.read(ids.reshape(-1)).view(*ids.shape, -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None]:
        (ids,) = ctx.saved_tensors
        ctx.keeper.add_gradient(ids.reshape(-1), gradient.reshape(ids.numel(), -1))
        return None, None, None

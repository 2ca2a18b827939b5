"""Sparse gradients of embeddings, and the optimizers that take them."""

from __future__ import annotations

import torch
from torch import nn

from src.errors import UserError

TAKE_SPARSE = (torch.optim.SGD, torch.optim.Adagrad, torch.optim.SparseAdam)


def check_sparse(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Raise UserError when the model's sparse gradients are more than the optimizer can take."""
    sparse = any(isinstance(m, nn.Embedding) and m.sparse for m in model.modules())
    if sparse and not isinstance(optimizer, TAKE_SPARSE):
        raise UserError("model.sparse=true needs optimizer=sgd or optimizer=adagrad")

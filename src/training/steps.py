"""How steps are taken: by torch, or by compiled code where that serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor

from src.data.share import Share
from src.data.stream import AnyBatches, Batch, OneBatch, Stream, TrainingStream
from src.errors import UserError
from src.kernels.available import is_available
from src.models.embedding_table import EmbeddingTable
from src.training.adam import Adam

if TYPE_CHECKING:
    from src.training.module import RecommenderModule

# Where torch takes the steps, a table with more rows than this many times what a step reads is
# updated row by row.
DEFERRED_ABOVE = 32


class Steps(Protocol):
    """A way to take the steps of a fit."""

    def take(self, batches: AnyBatches) -> Tensor | float:
        """Take a step on each batch; return the sum of their losses over examples, without L2."""

    def release(self) -> None:
        """Let go of the parameters."""


def choose_steps(module: RecommenderModule, optimizer: torch.optim.Optimizer) -> Steps:
    """Return what is fastest of ways that come to the same weights."""
    trainer = module.trainer
    stream = trainer.train_dataloader
    if not (isinstance(stream, TrainingStream) and is_served(module, optimizer)):
        full = trainer.precision == "32-true"
        if full and isinstance(optimizer, Adam):
            _defer_tables(module, optimizer, cast("Stream[Any]", stream))
        written = not module.rated and hasattr(module.loss, "gradient")
        explicit = full and written and module.model.explicit
        if trainer.world_size == 1:
            return TorchSteps(module, optimizer, explicit=explicit)
        if module.by_user or module.model.sequential:
            raise UserError("whole users are trained on by one process: trainer.devices=1")
        from src.training.exchange import Exchange
        from src.training.shared_steps import SharedSteps

        exchange = Exchange(Share(trainer.global_rank, trainer.world_size))
        return SharedSteps(module, optimizer, exchange, explicit=explicit)
    from src.training.compiled.compiled_steps import CompiledSteps

    network = module.model.network()
    assert network is not None
    return CompiledSteps(
        network,
        module.loss,
        optimizer,
        l2=module.l2,
        seed=module.seed,
        per_batch=stream.per_batch,
        n_candidates=1 + stream.negatives,
    )


def is_served(module: RecommenderModule, optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether compiled steps serve this model, loss, optimizer and trainer.

    Whatever else a user trains goes by torch: models and losses of their own, clipped gradients,
    other optimizers, bf16, CUDA, several processes, parts that are frozen.
    """
    trainer, network = module.trainer, module.model.network()
    if (
        not module.compiled
        or network is None
        or module.gradient_clip is not None
        or module.device.type != "cpu"
        or trainer.world_size > 1
        or trainer.precision != "32-true"
        or not is_available()
    ):
        return False
    from src.training.compiled.compiled_steps import serves_loss, serves_optimizer

    own = {network.table.weight, *network.parameters()}
    every = set(module.parameters())
    plain = all(p.requires_grad and p.dtype == torch.float32 for p in every)
    return plain and own == every and serves_loss(module.loss) and serves_optimizer(optimizer)


def _defer_tables(module: RecommenderModule, optimizer: Adam, stream: Stream[Any]) -> None:
    """Let the optimizer keep the rows of tables of which a step reads a small part."""
    if not module.compiled or module.gradient_clip is not None or module.device.type != "cpu":
        return
    for table in module.model.modules():
        if (
            isinstance(table, EmbeddingTable)
            and table.num_embeddings > DEFERRED_ABOVE * stream.rows_read
            and is_available()
        ):
            optimizer.defer(table)


class TorchSteps:
    """Steps by torch, as every model, loss, optimizer and device can take them."""

    def __init__(
        self, module: RecommenderModule, optimizer: torch.optim.Optimizer, *, explicit: bool
    ) -> None:
        """`explicit`: gradients are the model's and the loss's own instead of autograd's."""
        self.module, self.optimizer, self.explicit = module, optimizer, explicit

    def take(self, batches: AnyBatches | Sequence[Batch]) -> Tensor:
        """Take the steps of Lightning's automatic optimization."""
        module, optimizer = self.module, self.optimizer
        loss_sum = torch.zeros((), device=module.device)
        for batch in batches:
            value = self.differentiate(batch)
            # summed up on the device: a log call a step would cost more than the step's arithmetic
            loss_sum += value.detach() * batch.items.numel()
            if module.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(module.parameters(), module.gradient_clip)
            optimizer.step()
        return loss_sum

    def differentiate(self, batch: OneBatch) -> Tensor:
        """Return the loss of the batch, without L2; set the gradients of what is minimized."""
        return self.find_gradients(batch, self.module.loss, self.module.l2)

    def find_gradients(self, batch: OneBatch, loss: Any, l2: float) -> Tensor:
        """Return the batch's loss, and set the gradients of it plus `l2` times squared norms."""
        module = self.module
        if self.explicit:
            return module.model.differentiate(batch.users, batch.items, loss, l2)
        self.optimizer.zero_grad()
        value, minimized = module.losses_of(batch, loss, l2)
        module.manual_backward(minimized)
        return value

    def release(self) -> None:
        """Leave the parameters, which are the model's."""

"""The LightningModule of models with gradients: one model, one loss, judged by ranks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.config.build import check
from src.data.stream import Batch, RatingBatch, RatingStream, TrainingStream, derive_seed
from src.errors import UserError
from src.evaluation.catalogue import lower_is_better
from src.models import Recommender
from src.models.embedding_table import EmbeddingTable
from src.models.fitted import Fitted
from src.models.recommender import GradientLoss, Loss
from src.training.adam import Adam
from src.training.judging import Judge
from src.training.losses import RatingLoss, is_rating_loss
from src.training.sparse_gradients import check_sparse

Factory = partial[Any]

# A table with more rows than this many times what a step reads is updated row by row: there the two
# ways cost the same at NeuMF-8's width.
DEFERRED_ABOVE = 32


class RecommenderModule(Judge):
    """Trains a Recommender on batches, by gradients."""

    def __init__(
        self,
        model: Recommender,
        loss: Loss | RatingLoss,
        optimizer: Factory | type[Adam] = Adam,
        scheduler: Factory | None = None,
        *,
        l2: Annotated[float, Ge(0)] = 0.0,
        seed: int = 0,
        gradient_clip: Annotated[float, Gt(0)] | None = None,
        **judging: Any,
    ) -> None:
        """`optimizer` and `scheduler` make theirs when called; `judging` is for `Judge`."""
        own = {"l2": l2, "seed": seed, "gradient_clip": gradient_clip}
        check(RecommenderModule, own, "")
        if isinstance(loss, type):
            raise UserError(f"loss is the class {loss.__name__}: make one, {loss.__name__}()")
        if isinstance(model, Fitted):
            raise UserError(f"{type(model).__name__} has no gradients: give it to FittedModule")
        super().__init__(model, **judging)
        self.rated = is_rating_loss(loss)
        self.loss = loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.l2, self.seed, self.gradient_clip = l2, seed, gradient_clip
        self.explicit = False
        self.loss_sum = torch.zeros(())
        self.n_examples = 0

    def on_train_start(self) -> None:
        """Choose how to step: what is fastest here of ways that come to the same weights."""
        single = self.trainer.world_size == 1 and self.trainer.precision == "32-true"
        written = not self.rated and hasattr(self.loss, "gradient")
        self.explicit = single and written and self.model.explicit
        optimizer = self.optimizers(use_pl_optimizer=False)
        if isinstance(optimizer, Adam) and single and self.gradient_clip is None:
            stream = cast("TrainingStream | RatingStream", self.trainer.train_dataloader)
            for table in self.model.modules():
                if (
                    isinstance(table, EmbeddingTable)
                    and table.num_embeddings > DEFERRED_ABOVE * stream.rows_read
                ):
                    optimizer.defer(table)

    def on_train_epoch_start(self) -> None:
        # Dropout draws from torch's own generator, which checkpoints don't hold: tying it to the
        # epoch makes a resumed run the same as one that was never cut off.
        torch.manual_seed(derive_seed(self.seed, self.current_epoch, self.global_rank))
        self.loss_sum = torch.zeros((), device=self.device)
        self.n_examples = 0

    def training_step(self, batches: Sequence[Batch | RatingBatch], _: int) -> None:
        """Step once for each batch; several a call, because a call costs more than a step.

        The arithmetic is that of Lightning's automatic optimization.
        """
        optimizer = cast("torch.optim.Optimizer", self.optimizers(use_pl_optimizer=False))
        for batch in batches:
            if self.explicit:
                loss = cast("GradientLoss", self.loss)
                value = self.model.differentiate(batch.users, batch.items, loss, self.l2)
                self._count(value, batch)
            else:
                optimizer.zero_grad()
                self.manual_backward(self.loss_of(batch))
            if self.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters(), self.gradient_clip)
            optimizer.step()
        self.count_steps(len(batches))

    def loss_of(self, batch: Batch | RatingBatch) -> Tensor:
        """Return what the optimizer minimizes on this batch; the epoch's loss has no L2."""
        scores = self.model(batch.users, batch.items)
        if isinstance(batch, RatingBatch):
            loss = cast("RatingLoss", self.loss)(scores, batch.ratings)
        else:
            loss = cast("Loss", self.loss)(scores)
        self._count(loss.detach(), batch)
        if self.l2:
            # of one item to each user, where the batch is of ratings
            items = batch.items.view(len(batch.users), -1)
            loss = loss + self.l2 * self.model.squared_norms(batch.users, items)
        return loss

    def _count(self, loss: Tensor, batch: Batch | RatingBatch) -> None:
        # Accumulated on the device: a log call a step would cost more than the step's arithmetic
        self.loss_sum += loss * batch.items.numel()
        self.n_examples += batch.items.numel()

    def running_loss(self) -> float:
        """Return the mean loss an example so far in this epoch, without the L2 term."""
        return self.loss_sum.item() / max(self.n_examples, 1)

    def epoch_figures(self, seconds: float) -> dict[str, float]:
        examples = self.n_examples * self.trainer.world_size
        return {
            "train/loss": self.running_loss(),
            "train/examples_per_second": examples / seconds,
            "train/lr": self.trainer.optimizers[0].param_groups[0]["lr"],
        }

    def on_validation_start(self) -> None:
        self._flush()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._flush()

    def on_fit_end(self) -> None:
        """Let go of the tables that an optimizer kept: read from Python, weights are true again."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        if isinstance(optimizer, Adam):
            optimizer.release()

    def _flush(self) -> None:
        optimizer = self.optimizers(use_pl_optimizer=False)
        if isinstance(optimizer, Adam):
            optimizer.flush()

    def configure_optimizers(self) -> Any:
        try:
            optimizer = self.make_optimizer(self.parameters())
            check_sparse(self.model, optimizer)
            if self.make_scheduler is None:
                return optimizer
            scheduler = self.make_scheduler(optimizer)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise UserError(f"optimizer or scheduler: {error}") from error
        return [optimizer], [scheduler]

    def on_train_epoch_end(self) -> None:
        """Step the schedule: by epochs, a plateau by the metric that selects the epoch."""
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            # the schedule's own mode is max
            value = self.judged[self.monitor]
            scheduler.step(-value if lower_is_better(self.monitor) else value)
        elif scheduler is not None:
            cast("LRScheduler", scheduler).step()

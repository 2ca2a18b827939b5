"""The LightningModule of models with gradients: one model, one loss, judged by ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.config.build import check
from src.data.stream import (
    AnyBatches,
    OneBatch,
    RatingBatch,
    UserBatch,
    count_examples,
    derive_seed,
)
from src.errors import DivergedError, UserError
from src.evaluation.catalogue import lower_is_better
from src.models import Recommender
from src.models.fitted import Fitted
from src.models.recommender import Loss
from src.training.adam import Adam
from src.training.judging import Judge
from src.training.losses import (
    RatingLoss,
    UserLoss,
    check_by_user,
    is_rating_loss,
    is_user_loss,
)
from src.training.sparse_gradients import check_sparse
from src.training.steps import Steps, choose_steps

Factory = partial[Any]


class RecommenderModule(Judge):
    """Trains a Recommender on batches, by gradients."""

    what_to_try = "try a smaller optimizer.lr, or gradient_clip=1"

    def __init__(
        self,
        model: Recommender,
        loss: Loss | RatingLoss | UserLoss,
        optimizer: Factory | type[Adam] = Adam,
        scheduler: Factory | None = None,
        *,
        l2: Annotated[float, Ge(0)] = 0.0,
        seed: int = 0,
        gradient_clip: Annotated[float, Gt(0)] | None = None,
        compiled: bool = True,
        **judging: Any,
    ) -> None:
        """`optimizer` and `scheduler` make theirs when called; `judging` is for `Judge`.

        `compiled`: steps are taken by compiled code where it serves, see `steps.is_served`.
        """
        own = {"l2": l2, "seed": seed, "gradient_clip": gradient_clip, "compiled": compiled}
        check(RecommenderModule, own, "")
        if isinstance(loss, type):
            raise UserError(f"loss is the class {loss.__name__}: make one, {loss.__name__}()")
        if isinstance(model, Fitted):
            raise UserError(f"{type(model).__name__} has no gradients: give it to FittedModule")
        check_by_user(model, loss)
        super().__init__(model, **judging)
        self.rated, self.by_user = is_rating_loss(loss), is_user_loss(loss)
        self.loss = loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.l2, self.seed, self.gradient_clip = l2, seed, gradient_clip
        self.compiled = compiled
        self.steps: Steps | None = None
        self.loss_sum = torch.zeros(())
        self.n_examples = 0
        self._within_epoch = False
        self._goes_on: dict[str, Any] | None = None

    def on_train_start(self) -> None:
        super().on_train_start()
        self.steps = choose_steps(self, self._optimizer)
        if self._goes_on is not None:
            self.loss_sum = self._goes_on["loss_sum"].to(self.device)
            self.n_examples = self._goes_on["n_examples"]
            if isinstance(self._optimizer, Adam):
                self._optimizer.restore_rows(self._goes_on["rows"])
            self._goes_on = None

    def on_train_epoch_start(self) -> None:
        # Dropout draws from torch's own generator, which checkpoints don't hold: tying it to the
        # epoch makes a resumed run the same as one that was never cut off.
        torch.manual_seed(derive_seed(self.seed, self.current_epoch, self.global_rank))
        self.model.begin_epoch(self.current_epoch)
        self.loss_sum = torch.zeros((), device=self.device)
        self.n_examples = 0

    def training_step(self, batches: AnyBatches, _: int) -> None:
        """Step once for each batch; several a call, because a call costs more than a step."""
        assert self.steps is not None
        if self.trainer.world_size > 1:
            # a checkpoint holds one process's generator: each goes on from where the epoch is
            place = self.current_epoch, self.global_rank, self.n_examples
            torch.manual_seed(derive_seed(self.seed, *place))
        self.loss_sum += self.steps.take(batches)
        if self.device.type == "cpu":  # another device is asked once an epoch
            self._check_loss()
        self.n_examples += count_examples(batches)
        self.count_steps(len(batches))

    def _check_loss(self) -> None:
        """Raise DivergedError when the loss is no number."""
        if not math.isfinite(self.running_loss()):
            trainer = self.trainer
            raise DivergedError(
                f"the loss is {self.running_loss()} in epoch {trainer.current_epoch + 1}, by step "
                f"{trainer.global_step}, with a rate of {self._rate:g}; {self.what_to_try}"
            )

    @property
    def _rate(self) -> float:
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def losses_of(
        self, batch: OneBatch, loss: Any = None, l2: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and what the optimizer minimizes: with L2.

        `loss` and `l2` take the place of the module's own, where several processes share a batch.
        """
        loss, l2 = self.loss if loss is None else loss, self.l2 if l2 is None else l2
        users, items = batch.users, batch.items
        if isinstance(batch, UserBatch) and self.model.sequential:
            value = minimized = loss(self.model.score_places(users, batch.negatives))
            users = users.index_select(0, batch.rows)
        elif isinstance(batch, UserBatch):
            scores, more = self.model.score_rows(users)
            value = loss(scores, batch.rows, items)
            minimized = value + more / len(items)
            users = users.index_select(0, batch.rows)
        else:
            rated = (batch.ratings,) if isinstance(batch, RatingBatch) else ()
            value = minimized = loss(self.model(users, items), *rated)
        if not l2:
            return value, minimized
        # of one item to each user, where the batch is of ratings or of whole users
        items = items.view(len(users), -1)
        return value, minimized + l2 * self.model.squared_norms(users, items)

    def running_loss(self) -> float:
        """Return the mean loss an example so far in this epoch, without the L2 term."""
        return self.loss_sum.item() / max(self.n_examples, 1)

    def epoch_figures(self, seconds: float) -> dict[str, float]:
        return {
            "train/loss": self.running_loss(),
            "train/examples_per_second": self.n_examples / seconds,
            "train/lr": self._rate,
        }

    def on_validation_start(self) -> None:
        self._check_loss()
        self._flush()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        optimizer = self._optimizer
        if not self._within_epoch:
            self._flush()
            return
        rows = optimizer.save_rows() if isinstance(optimizer, Adam) else []
        so_far = {"loss_sum": self.loss_sum, "n_examples": self.n_examples, "rows": rows}
        checkpoint["within_epoch"] = so_far

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._goes_on = checkpoint.get("within_epoch")

    @contextmanager
    def saving_within_epoch(self) -> Iterator[None]:
        """Let checkpoints have all that an epoch under way needs for going on to the same bits.

        Rows stay as they are: to bring them up to date now would round differently than later.
        """
        optimizer, self._within_epoch = self._optimizer, True
        if isinstance(optimizer, Adam):
            optimizer.saves_rows_as_they_are = True
        try:
            yield
        finally:
            self._within_epoch = False
            if isinstance(optimizer, Adam):
                optimizer.saves_rows_as_they_are = False

    def on_fit_end(self) -> None:
        """Let go of the tables that an optimizer kept: read from Python, weights are true again."""
        if isinstance(self._optimizer, Adam):
            self._optimizer.release()
        if self.steps is not None:
            self.steps.release()

    def _flush(self) -> None:
        if isinstance(self._optimizer, Adam):
            self._optimizer.flush()

    @property
    def _optimizer(self) -> torch.optim.Optimizer:
        return cast("torch.optim.Optimizer", self.optimizers(use_pl_optimizer=False))

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

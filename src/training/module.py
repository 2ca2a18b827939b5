"""The LightningModule: one model, one loss on grouped batches, judged by ranks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, cast

import pytorch_lightning as pl
import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.data.stream import Batch, TrainingStream, derive_seed
from src.data.targets import CandidateBatch, CatalogueBatch, Targets
from src.errors import UserError
from src.evaluation.metrics import mean_over_users, metrics_at, ranks
from src.models import Recommender
from src.models.base import Loss
from src.models.table import Table
from src.training.adam import Adam

Factory = partial[Any]

# A table with more rows than this many times what a step reads is updated row by row: there the two
# ways cost the same at NeuMF-8's width.
DEFERRED_ABOVE = 32


class RecommenderModule(pl.LightningModule):
    """Trains a Recommender and ranks each target among its candidates after every epoch."""

    def __init__(
        self,
        model: Recommender,
        loss: Loss,
        optimizer: Factory,
        scheduler: Factory | None = None,
        *,
        l2: Annotated[float, Ge(0)] = 0.0,
        ks: Sequence[Annotated[int, Ge(1)]] = (10,),
        monitor: str = "val/ndcg@10",
        seed: int = 0,
        gradient_clip: Annotated[float, Gt(0)] | None = None,
        rebuild: dict[str, Any] | None = None,
    ) -> None:
        """`monitor` names the metric that selects the epoch, "val/..." or "test/...".

        `rebuild`: plain values from which a checkpoint's model can be made again.
        """
        super().__init__()
        self.model, self.loss = model, loss
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.l2, self.ks, self.monitor, self.seed = l2, list(ks), monitor, seed
        self.gradient_clip = gradient_clip
        self.automatic_optimization = False
        self.save_hyperparameters(rebuild or {}, logger=False)
        self.explicit = False
        self.loss_sum = torch.zeros(())
        self.n_examples = 0
        self._ranks = torch.empty(0, dtype=torch.long)
        self._n_ranked = 0
        self.judged: dict[str, float] = {}
        """The last epoch's metrics in full precision; Lightning's own copies are float32."""
        self.tested: dict[str, float] = {}
        """The test metrics, after testing."""
        self.test_ranks = torch.empty(0, dtype=torch.long)
        """int64 [T] after testing, in the order of the test targets."""

    def on_train_start(self) -> None:
        """Chooses how to step: what is fastest here of ways that come to the same weights."""
        single = self.trainer.world_size == 1 and self.trainer.precision == "32-true"
        self.explicit = single and self.model.explicit
        optimizer = self.optimizers(use_pl_optimizer=False)
        if isinstance(optimizer, Adam) and single and self.gradient_clip is None:
            stream = cast("TrainingStream", self.trainer.train_dataloader)
            read = stream.positives_per_batch * (2 + stream.negatives)
            for table in self.model.modules():
                if isinstance(table, Table) and table.num_embeddings > DEFERRED_ABOVE * read:
                    optimizer.defer(table)

    def on_train_epoch_start(self) -> None:
        # Dropout draws from torch's own generator, which checkpoints don't hold: tying it to the
        # epoch makes a resumed run the same as one that was never cut off.
        torch.manual_seed(derive_seed(self.seed, self.current_epoch, self.global_rank))
        self.loss_sum = torch.zeros((), device=self.device)
        self.n_examples = 0

    def training_step(self, batches: Sequence[Batch], _: int) -> None:
        """One optimizer step for each batch; several a call, because a call costs more than a step.

        Same arithmetic as Lightning's automatic optimization.
        """
        optimizer = cast("torch.optim.Optimizer", self.optimizers(use_pl_optimizer=False))
        for batch in batches:
            if self.explicit:
                loss = self.model.differentiate(batch.users, batch.items, self.loss, self.l2)
                self._count(loss, batch)
            else:
                optimizer.zero_grad()
                self.manual_backward(self.loss_of(batch))
            if self.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters(), self.gradient_clip)
            optimizer.step()
        # what trainer.global_step reads; Lightning only counts steps of its own optimizer wrapper
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counter in (progress.total, progress.current):
            counter.ready += len(batches)
            counter.completed += len(batches)

    def loss_of(self, batch: Batch) -> Tensor:
        """What the optimizer minimizes on this batch; the epoch's loss has no L2."""
        loss = self.loss(self.model(batch.users, batch.items))
        self._count(loss.detach(), batch)
        if self.l2:
            loss = loss + self.l2 * self.model.squared_norms(batch.users, batch.items)
        return loss

    def _count(self, loss: Tensor, batch: Batch) -> None:
        # Accumulated on the device: a log call a step would cost more than the step's arithmetic
        self.loss_sum += loss * batch.items.numel()
        self.n_examples += batch.items.numel()

    def running_loss(self) -> float:
        """Mean loss an example so far in this epoch, without the L2 term."""
        return self.loss_sum.item() / max(self.n_examples, 1)

    @property
    def judged_part(self) -> str:
        """The part that every epoch is judged on: val, or test where the protocol says so."""
        return self.monitor.split("/", maxsplit=1)[0]

    def on_validation_start(self) -> None:
        self._flush()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._flush()

    def _flush(self) -> None:
        optimizer = self.optimizers(use_pl_optimizer=False)
        if isinstance(optimizer, Adam):
            optimizer.flush()

    def on_validation_epoch_start(self) -> None:
        self._make_room(cast("Targets", self.trainer.val_dataloaders))

    def on_test_epoch_start(self) -> None:
        self._make_room(cast("Targets", self.trainer.test_dataloaders))

    def _make_room(self, targets: Targets) -> None:
        # at once: many small tensors among a model's large ones keep memory from being given back
        self._ranks = torch.empty(len(targets.users), dtype=torch.long, device=self.device)
        self._n_ranked = 0

    def validation_step(self, batch: CandidateBatch | CatalogueBatch, _: int) -> None:
        self._keep(self._rank(batch))

    def test_step(self, batch: CandidateBatch | CatalogueBatch, batch_idx: int) -> None:
        self._keep(self._rank(batch))

    def _keep(self, ranks: Tensor) -> None:
        self._ranks[self._n_ranked : self._n_ranked + len(ranks)] = ranks
        self._n_ranked += len(ranks)

    def on_validation_epoch_end(self) -> None:
        targets = cast("Targets", self.trainer.val_dataloaders)
        self.judged = self._summarize(self.judged_part, targets.users)
        self.log_dict(self.judged)

    def on_test_epoch_end(self) -> None:
        self.test_ranks = self._ranks
        targets = cast("Targets", self.trainer.test_dataloaders)
        self.tested = self._summarize("test", targets.users)

    def _rank(self, batch: CandidateBatch | CatalogueBatch) -> Tensor:
        if isinstance(batch, CandidateBatch):
            scores = self.model(batch.users, batch.items)
            # some released candidates list the target itself: it can't be ahead of itself
            same = batch.items[:, 1:] == batch.items[:, :1]
            return ranks(scores[:, 0], scores[:, 1:], same)
        scores = self.model.score_all(batch.users)
        return ranks(scores[batch.rows, batch.targets], scores[batch.rows], batch.known[batch.rows])

    def _summarize(self, part: str, users: Tensor) -> dict[str, float]:
        return {
            f"{part}/{name}": mean_over_users(values, users)
            for name, values in metrics_at(self._ranks, self.ks).items()
        }

    def configure_optimizers(self) -> Any:
        try:
            optimizer = self.make_optimizer(self.parameters())
            if self.make_scheduler is None:
                return optimizer
            scheduler = self.make_scheduler(optimizer)
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise UserError(f"optimizer or scheduler: {error}") from error
        return [optimizer], [scheduler]

    def on_train_epoch_end(self) -> None:
        """Schedules count epochs; a plateau is one of the metric that selects the epoch."""
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(self.judged[self.monitor])
        elif scheduler is not None:
            cast("LRScheduler", scheduler).step()

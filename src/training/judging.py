"""The half of a LightningModule that judges: scores targets, ranks them, sums up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from annotated_types import Ge
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from src.config.build import check
from src.data.datamodule import InteractionDataModule
from src.data.interactions import Interactions
from src.data.targets import CandidateBatch, CatalogueBatch, Targets
from src.errors import DivergedError, UserError
from src.evaluation.catalogue import METRICS, Metric, check_cutoffs, check_monitor, part_of
from src.evaluation.ranking import Ranking, Scale
from src.models import Recommender


class Judge(pl.LightningModule):
    """Ranks each target among its candidates, after every epoch and on test."""

    rated = False
    """Whether it learns to predict ratings."""
    whole = False
    """Whether it learns from the training part in one piece, instead of batches."""
    by_user = False
    """Whether it learns from batches of users with all their items."""
    what_to_try = "try more regularization"
    """Where numbers get out of hand."""

    def __init__(
        self,
        model: Recommender,
        *,
        ks: Sequence[Annotated[int, Ge(1)]] = (10,),
        monitor: str = "val/ndcg@10",
        metrics: Sequence[Metric] = METRICS,
    ) -> None:
        """`monitor` names the metric that selects the epoch, "val/..." or "test/..."."""
        super().__init__()
        check(Judge, {"ks": list(ks)}, "")
        self.model, self.ks, self.monitor, self.metrics = model, list(ks), monitor, metrics
        self.automatic_optimization = False
        # all that a checkpoint needs for making its model again
        facts = {"model": model.recipe, "n_users": model.n_users, "n_items": model.n_items}
        self.save_hyperparameters(facts, logger=False)
        self.scale: Scale | None = None
        """That of the ratings, where the model predicts them."""
        self.judged: dict[str, float] = {}
        """The last epoch's metrics in full precision; Lightning's own copies are float32."""
        self.tested: dict[str, float] = {}
        """The test metrics, after testing."""
        self.chosen: dict[str, float] = {}
        """What a model that chooses on validation came to by that."""
        self.rankings: list[Ranking] = []
        """What was scored last: one for each loader."""
        self._generator: Tensor | None = None
        """The state of torch's generator at the checkpoint that training goes on from."""
        self._observed: Interactions | None = None
        """The training part that the model learns from."""
        self._passed_best = False
        """Whether the weights are of a later epoch than the one that was selected."""

    def prepare(self, data: InteractionDataModule, *, training: bool) -> None:
        """Bring module and data together: before training the model observes the training part.

        Lightning's `setup` does so too. Raises UserError when they don't go together.
        """
        data.feed(
            rated=self.rated,
            whole=self.whole,
            by_user=self.by_user,
            sequential=self.model.sequential,
        )
        ratings = data.train.ratings
        self._check_fit(data)
        if ratings is not None:
            self.scale = Scale(float(ratings.min()), float(ratings.max()))
        if training and self._observed is not data.train:
            self.model.observe(data.train)
            self._observed = data.train
        if self._observed is not None and not _is_same(self._observed, data.train):
            raise UserError(
                "the model was trained on another training part, which may hold what is test here"
            )

    def _check_fit(self, data: InteractionDataModule) -> None:
        model = self.model
        if (model.n_users, model.n_items) != (data.n_users, data.n_items):
            raise UserError(
                f"the model is of {model.n_users} users and {model.n_items} items, but this data "
                f"has {data.n_users} and {data.n_items}"
            )
        kept = [m for m in self.metrics if self.rated or m.basis != "ratings"]
        check_monitor(self.monitor, data.judged_part, kept, self.ks)
        check_cutoffs(self.ks, data.n_ranked)

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, InteractionDataModule):
            raise UserError(
                "the trainer needs an InteractionDataModule: trainer.fit(module, datamodule=data)"
            )
        self.prepare(data, training=stage == "fit")
        if stage == "fit":
            self._check_trainer()
            # a model that was loaded judges; one with parts that are frozen stays as it is
            if not self.model.training:
                self.model.train()

    def _check_weights(self) -> None:
        """Refuse to judge an untrained model, or an epoch after the one that was chosen."""
        if not self.model.trained:
            raise UserError(
                "the model is not trained: trainer.fit(module, datamodule=data) comes first, or "
                "load_model(checkpoint); if it was trained elsewhere, say model.trained = True"
            )
        if self._passed_best:
            raise UserError(
                "the module has the weights of the last epoch, which is not the one that was "
                'chosen: say ckpt_path="best", or ckpt_path="last" if these are meant'
            )

    def _check_trainer(self) -> None:
        """Refuse a trainer that would choose by another metric, or has no epoch left to train."""
        chooser = self.trainer.checkpoint_callback
        monitor = getattr(chooser, "monitor", None)
        if monitor not in (None, self.monitor):
            raise UserError(
                f"the trainer chooses the epoch by {monitor}, but the module's monitor is "
                f"{self.monitor}: give both the same"
            )
        done, most = self.trainer.current_epoch, self.trainer.max_epochs
        if most is not None and 0 <= most <= done:
            raise UserError(f"this trainer has trained its {most} epochs already: make another")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of torch's generator, which a run that goes on draws from."""
        checkpoint["generator"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note that these weights were asked for."""
        self.model.trained, self._passed_best = True, False
        self._generator = checkpoint.get("generator")

    def on_train_start(self) -> None:
        if self._generator is not None:
            torch.set_rng_state(self._generator)

    def on_train_end(self) -> None:
        self.model.trained = True
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", "")
        if best:
            # mapped, so that only what is read comes from the disk
            content = torch.load(best, map_location="cpu", weights_only=True, mmap=True)
            self._passed_best = content["global_step"] != self.trainer.global_step

    @property
    def judged_part(self) -> str:
        """The part that every epoch is judged on: val, or test where the protocol says so."""
        return part_of(self.monitor)

    def epoch_figures(self, seconds: float) -> dict[str, float]:
        """Return what the training half has to say of the epoch, which took `seconds`."""
        return {}

    def count_steps(self, n: int) -> None:
        """Count `n` steps for trainer.global_step; Lightning counts its own optimizer's alone."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counter in (progress.total, progress.current):
            counter.ready += n
            counter.completed += n

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn != TrainerFn.FITTING:
            self._check_weights()
        else:
            self._check_numbers()
        targets = cast("Targets", self.trainer.val_dataloaders)
        self.rankings = [Ranking(targets, self.device, self.scale, metrics=self.metrics)]

    def _check_numbers(self) -> None:
        """Raise DivergedError when a weight is no number: whatever it scores would rank last."""
        state = [t.values() if _is_sparse(t) else t for t in self.model.state_dict().values()]
        # a sum has no copy of a large table beside it, and one answer comes from the device
        sums = [t.sum().double() for t in state if t.is_floating_point()]
        if sums and not torch.stack(sums).isfinite().all():
            raise DivergedError(
                f"epoch {self.trainer.current_epoch + 1}: weights are no numbers any more; "
                f"{self.what_to_try}"
            )

    def on_test_epoch_start(self) -> None:
        self._check_weights()
        loaders = cast("list[Targets]", self.trainer.test_dataloaders)
        longest = max(self.ks)
        self.rankings = [
            Ranking(one, self.device, self.scale, longest, self.metrics) for one in loaders
        ]

    def validation_step(self, batch: CandidateBatch | CatalogueBatch | None, _: int) -> None:
        if batch is not None:  # more processes than batches
            self.rankings[0].score(self.model, batch)

    def test_step(
        self, batch: CandidateBatch | CatalogueBatch | None, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch is not None:
            self.rankings[dataloader_idx].score(self.model, batch)

    def _compute_once(self, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what one process measures when it knows all that the others ranked.

        So all decide alike what follows from it, even if another machine's last bit differs.
        """
        strategy = self.trainer.strategy
        if self.trainer.world_size > 1:
            for ranking in self.rankings:
                ranking.merge(dist.all_reduce)
        return strategy.broadcast(measure() if strategy.is_global_zero else {})

    def on_validation_epoch_end(self) -> None:
        if self.trainer.sanity_checking:  # by a Trainer of the user's own, on a few batches
            return
        part = self.judged_part
        measured = self._compute_once(lambda: self.rankings[0].summarize(self.ks))
        kept = {m.name for m in self.metrics if m.by_epoch}
        kept.add(self.monitor.removeprefix(f"{part}/").split("@")[0])
        self.judged = {
            f"{part}/{name}": value
            for name, value in measured.items()
            if name.split("@")[0] in kept
        }
        wrong = [name for name, value in self.judged.items() if not math.isfinite(value)]
        if wrong:
            raise DivergedError(
                f"epoch {self.trainer.current_epoch + 1}: {wrong[0]} is {self.judged[wrong[0]]}; "
                f"{self.what_to_try}"
            )
        self.log_dict(self.judged)

    def on_test_epoch_end(self) -> None:
        self.tested = self._compute_once(self._measure_test)

    def _measure_test(self) -> dict[str, Any]:
        tested: dict[str, Any] = {}
        vectors = self.model.item_vectors()
        for place, ranking in enumerate(self.rankings):
            prefix = "test/full" if place else "test"
            found: dict[str, Any] = ranking.summarize(self.ks)
            found |= ranking.summarize_lists(self.ks, vectors)
            found |= ranking.estimate(self.ks)
            found |= {} if place else ranking.summarize_groups()
            found["seconds"] = ranking.seconds
            tested |= {f"{prefix}/{name}": value for name, value in found.items()}
        return tested


def _is_sparse(tensor: Tensor) -> bool:
    return tensor.layout != torch.strided


def _is_same(one: Interactions, other: Interactions) -> bool:
    """Tell whether two training parts hold the same pairs."""
    return one is other or (
        np.array_equal(one.users, other.users) and np.array_equal(one.items, other.items)
    )

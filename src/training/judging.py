"""The half of a LightningModule that judges: scores targets, ranks them, sums up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

import pytorch_lightning as pl
from annotated_types import Ge

from src.data.targets import CandidateBatch, CatalogueBatch, Targets
from src.evaluation.ranking import Ranking, Scale
from src.models import Recommender

# What each epoch is judged by, beside the metric that selects it; test has every metric
BY_EPOCH = ("hr", "ndcg", "mrr")


def lower_is_better(metric: str) -> bool:
    """Whether the metric is an error: "val/rmse" or "val/mae"."""
    return metric.rpartition("/")[2] in ("rmse", "mae")


class Judge(pl.LightningModule):
    """Ranks each target among its candidates, after every epoch and on test."""

    def __init__(
        self,
        model: Recommender,
        *,
        ks: Sequence[Annotated[int, Ge(1)]] = (10,),
        monitor: str = "val/ndcg@10",
        scale: Scale | None = None,
        rebuild: dict[str, Any] | None = None,
    ) -> None:
        """`monitor` names the metric that selects the epoch, "val/..." or "test/...".

        `scale`: that of the ratings, where the model predicts them. `rebuild`: plain values from
        which a checkpoint's model can be made again.
        """
        super().__init__()
        self.model, self.ks, self.monitor, self.scale = model, list(ks), monitor, scale
        self.automatic_optimization = False
        self.save_hyperparameters(rebuild or {}, logger=False)
        self.judged: dict[str, float] = {}
        """The last epoch's metrics in full precision; Lightning's own copies are float32."""
        self.tested: dict[str, float] = {}
        """The test metrics, after testing."""
        self.rankings: list[Ranking] = []
        """What was scored last: one for each loader."""

    @property
    def judged_part(self) -> str:
        """The part that every epoch is judged on: val, or test where the protocol says so."""
        return self.monitor.split("/", maxsplit=1)[0]

    def epoch_figures(self, seconds: float) -> dict[str, float]:
        """What the training half has to say of the epoch, which took `seconds`."""
        return {}

    def count_steps(self, n: int) -> None:
        """What trainer.global_step reads; Lightning only counts its own optimizer wrapper's."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counter in (progress.total, progress.current):
            counter.ready += n
            counter.completed += n

    def on_validation_epoch_start(self) -> None:
        targets = cast("Targets", self.trainer.val_dataloaders)
        self.rankings = [Ranking(targets, self.device, self.scale)]

    def on_test_epoch_start(self) -> None:
        loaders = cast("list[Targets]", self.trainer.test_dataloaders)
        longest = max(self.ks)
        self.rankings = [Ranking(one, self.device, self.scale, longest) for one in loaders]

    def validation_step(self, batch: CandidateBatch | CatalogueBatch, _: int) -> None:
        self.rankings[0].score(self.model, batch)

    def test_step(
        self, batch: CandidateBatch | CatalogueBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.rankings[dataloader_idx].score(self.model, batch)

    def on_validation_epoch_end(self) -> None:
        part = self.judged_part
        measured = self.rankings[0].summarize(self.ks)
        kept = (*BY_EPOCH, "rmse", "mae", self.monitor.removeprefix(f"{part}/").split("@")[0])
        self.judged = {
            f"{part}/{name}": value
            for name, value in measured.items()
            if name.split("@")[0] in kept
        }
        self.log_dict(self.judged)

    def on_test_epoch_end(self) -> None:
        self.tested = {}
        vectors = self.model.item_vectors()
        for place, ranking in enumerate(self.rankings):
            prefix = "test/full" if place else "test"
            found = ranking.summarize(self.ks) | ranking.summarize_lists(self.ks, vectors)
            found |= ranking.estimate(self.ks)
            found["seconds"] = ranking.seconds
            self.tested |= {f"{prefix}/{name}": value for name, value in found.items()}

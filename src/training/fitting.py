"""The LightningModule of models that are fitted to the whole training part."""

from __future__ import annotations

from typing import Any, cast

from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from src.data.interactions import Interactions
from src.errors import UserError
from src.models.fitted import Fitted
from src.training.judging import Judge


class FittedModule(Judge):
    """Fits in one epoch, or sweep by sweep as many as the trainer allows."""

    whole = True

    def __init__(self, model: Fitted, *, rated: bool = False, **judging: Any) -> None:
        """`rated`: the model predicts ratings, which not all can; `judging` is for `Judge`."""
        kind = type(model).__name__
        if not isinstance(model, Fitted):
            raise UserError(f"{kind} is trained by gradients: give it to RecommenderModule")
        if rated and not model.rates:
            raise UserError(f"{kind} predicts no ratings: leave out rated")
        super().__init__(model, **judging)
        self.rated = rated

    def on_fit_start(self) -> None:
        if not cast("Fitted", self.model).iterative:
            trainer = self.trainer
            trainer.fit_loop.max_epochs = 1
            # what is never continued needs no second copy, and some of these models are large
            trainer.callbacks = [c for c in trainer.callbacks if not _is_last(c)]  # type: ignore[attr-defined]

    def training_step(self, train: Interactions, _: int) -> None:
        cast("Fitted", self.model).fit(train)
        self.count_steps(1)

    def configure_optimizers(self) -> None:
        """Return none: nothing has gradients."""


def _is_last(callback: Callback) -> bool:
    return isinstance(callback, ModelCheckpoint) and callback.filename == "last"

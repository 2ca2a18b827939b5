"""The LightningModule of models that are fitted to the whole training part."""

from __future__ import annotations

from typing import Any, cast

from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from src.data.datamodule import InteractionDataModule
from src.data.interactions import Interactions
from src.errors import UserError
from src.evaluation.expectation import expected_ndcg
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
        model = cast("Fitted", self.model)
        model.fit(train)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if model.chooses and len(data.prepared.part("val")):  # else it has taken a choice over
            self._let_choose(model)
        self.count_steps(1)

    def _let_choose(self, model: Any) -> None:
        """Let the model choose on validation, and say what came of it."""
        data = cast("InteractionDataModule", self.trainer.datamodule)  # type: ignore[attr-defined]
        prepared = data.prepared
        gain = expected_ndcg(prepared.n_candidates)
        choice = model.choose(prepared.part("val"), prepared.split.items_by_user(), gain)
        self.chosen = {
            "fit/chosen_ndcg@10": choice.gain,
            "fit/two_fold_ndcg@10": choice.two_fold,
            "fit/evaluations": float(choice.evaluations),
        }
        weights = ", ".join(f"{weight:.3g}" for weight in choice.weights.tolist())
        print(
            f"weights {weights}, less popular last; NDCG@10 {choice.gain:.4f} on validation, "
            f"{choice.two_fold:.4f} on users that they were not chosen on"
        )

    def configure_optimizers(self) -> None:
        """Return none: nothing has gradients."""


def _is_last(callback: Callback) -> bool:
    return isinstance(callback, ModelCheckpoint) and callback.filename == "last"

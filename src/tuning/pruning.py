"""Ending a trial early when its validation falls behind that of the trials before it."""

from __future__ import annotations

import pytorch_lightning as pl
from optuna import Trial

from src.tracking.mlflow import MLflowLogger
from src.training.judging import Judge


class Pruning(pl.Callback):
    """A callback that reports each epoch's metric to the trial, and stops if the study says so."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.epochs = 0
        """The number of judged epochs."""
        self.pruned = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Judge)
        self.trial.report(pl_module.judged[pl_module.monitor], trainer.current_epoch)
        self.epochs += 1
        if not self.pruned and not trainer.should_stop and self.trial.should_prune():
            self.pruned = trainer.should_stop = True
            if isinstance(trainer.logger, MLflowLogger):
                trainer.logger.tracker.set_tags({"pruned": "true"})

"""Checkpoints within an epoch, for epochs that take long."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from src.training.checkpoint_interval import Every
from src.training.module import RecommenderModule


class SaveWithinEpoch(Callback):
    """Writes a checkpoint every so often, between two calls of the module."""

    def __init__(self, file: Path, every: Every) -> None:
        self.file, self.every = file, every
        self._step, self._time = 0, 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save before a call, when Lightning has counted the one before, but not at the first."""
        passed = time.monotonic() - self._time
        due = trainer.global_step - self._step >= self.every.steps or passed >= self.every.seconds
        # the clocks of several processes differ, and all take part
        due = trainer.strategy.broadcast(due)
        if due and batch_idx and isinstance(pl_module, RecommenderModule):
            with pl_module.saving_within_epoch():
                trainer.save_checkpoint(self.file)
            self._note(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note(trainer)

    def _note(self, trainer: pl.Trainer) -> None:
        self._step, self._time = trainer.global_step, time.monotonic()

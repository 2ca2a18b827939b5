"""What a step, a judgement and keeping an epoch take, measured on the first steps of two epochs."""

from __future__ import annotations

import math
import time
from typing import Any

import psutil
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from src.data.stream import Stream
from src.training.trainer import find_history

STEPS = 20
# Calls of several steps each: the first draws the epoch's order, and is counted apart
CALLS = 3


class Stopwatch(Callback):
    """Ends each epoch after some steps, and knows afterwards how long a whole one would take.

    The last epoch counts: in the first, code is compiled.
    """

    def __init__(self) -> None:
        self.steps = 0
        """In a whole epoch; 1 of what is fitted in one piece."""
        self.step_seconds = 0.0
        """What one takes."""
        self.judging_seconds = 0.0
        """What judging an epoch takes."""
        self.keeping_seconds = 0.0
        """What writing its checkpoints takes."""
        self.training_seconds = 0.0
        """What the steps of a whole epoch take."""
        self.memory = 0
        """The most bytes that were in use: of a GPU's memory where one trained."""
        self._calls = 0
        self._started = self._judged = 0.0
        self._ends: list[float] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let Lightning take so few calls for an epoch."""
        stream = trainer.train_dataloader
        assert stream is not None
        self._calls = len(stream)
        self.steps = stream.n_steps if isinstance(stream, Stream) else 1
        if isinstance(stream, Stream):
            needed = max(CALLS, math.ceil(STEPS / stream.steps_per_call))
            trainer.fit_loop.max_batches = min(self._calls, needed)
            trainer.val_check_batch = trainer.fit_loop.max_batches

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()
        if self._judged:
            self.keeping_seconds = self._started - self._judged
        self._ends = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self._ends.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.judging_seconds = find_history(trainer).epochs[-1]["eval/seconds"]
        first, *others = [end - self._started for end in self._ends]
        each = (others[-1] - first) / len(others) if others else first
        self.training_seconds = first + (self._calls - 1) * each
        self.step_seconds = each * self._calls / self.steps
        device = pl_module.device
        on_gpu = device.type == "cuda"
        used = torch.cuda.max_memory_allocated(device) if on_gpu else _read_memory()
        self.memory = max(self.memory, used)
        self._judged = time.perf_counter()


def _read_memory() -> int:
    return int(psutil.Process().memory_info().rss)

"""A run's record: open from its beginning to its end, written beside the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from src.run.options import Options
from src.run.recovery import recover
from src.run.run_views import view_all
from src.tracking import Tracker, open_tracker
from src.training.judging import Judge
from src.training.trainer import find_history


@contextmanager
def recording(
    options: Options, folder: Path, tags: Mapping[str, str], *, testing: bool, resuming: bool
) -> Iterator[Tracker]:
    """Open the run's record; at the end, however it comes, the folder's files join it."""
    begun = {"output_folder": tags["output_folder"]} if resuming else None
    with open_tracker(
        options.tracking, tags, folder, continuing=begun, recovery=recover, beside=True
    ) as tracker:
        tracker.log_params(options.plain)
        tracker.save_view(view_all(options.plain))
        try:
            yield tracker
        finally:
            # a search keeps its best checkpoint alone
            tracker.log_files(folder, leave_out=() if testing else ("checkpoints",))


class RecordKeeping(Callback):
    """Lets the tracker begin with the training, and an error of its own end the run."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # epochs that were trained before the run was cut off, some perhaps not recorded
        self.tracker.log_missing(list(find_history(trainer).epochs))
        self.tracker.begin()
        if isinstance(pl_module, Judge) and pl_module.whole:
            # within one call that fits the model no error would be seen
            self.tracker.wait()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # where it was cut off after the last epoch, nothing is trained and nothing else is called
        self.tracker.log_missing(list(find_history(trainer).epochs))

    def on_train_batch_start(self, *_: Any) -> None:
        self.tracker.keep_up()

    def on_validation_start(self, *_: Any) -> None:
        self.tracker.keep_up()

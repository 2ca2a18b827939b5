"""What a run shows while it trains, and what it remembers of each epoch."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping, TQDMProgressBar
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm

from src.data.stream import Stream
from src.evaluation.catalogue import headlines, label_of
from src.training.judging import Judge
from src.training.module import RecommenderModule

Epoch = dict[str, float]


class EpochHistory(Callback):
    """One line an epoch on stdout, and the same figures kept for metrics, curves and trackers."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        """For each epoch its number, loss, learning rate, judged metrics, seconds and speed."""
        self.seconds_before = 0.0
        """What the epochs took that were trained before the run was cut off."""
        self._started: float | None = None
        """When the epoch under way began; None between epochs."""
        self._elapsed = 0.0
        """What an epoch had taken that was cut off."""
        self._trained = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._elapsed:
            self._started = time.perf_counter() - self._elapsed

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._stop_clock(module)

    def _stop_clock(self, module: pl.LightningModule) -> None:
        if isinstance(module, RecommenderModule):
            # reading the loss waits for the device, so that the clock does not run ahead of it
            module.running_loss()
        self._trained = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Judge)
        assert self._started is not None
        if self._trained < self._started:  # nothing was judged
            self._stop_clock(module)
        seconds = self._trained - self._started
        epoch: Epoch = {
            **module.epoch_figures(seconds),
            "train/seconds": seconds,
            "eval/seconds": time.perf_counter() - self._trained,
        }
        module.log_dict(epoch)
        self._started = None
        self.epochs.append({"epoch": trainer.current_epoch, **epoch, **module.judged})
        if trainer.is_global_zero:
            _print_above_bar(trainer, _describe_epoch(self.epochs[-1], trainer.max_epochs, module))

    def state_dict(self) -> dict[str, Any]:
        elapsed = 0.0 if self._started is None else time.perf_counter() - self._started
        return {"epochs": self.epochs, "elapsed": elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs, self._elapsed = state_dict["epochs"], state_dict["elapsed"]
        judged = sum(e["train/seconds"] + e["eval/seconds"] for e in self.epochs)
        self.seconds_before = judged + self._elapsed


class Patience(EarlyStopping):
    """Early stopping that a run which had stopped before it was cut off does not forget."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class EpochBar(TQDMProgressBar):
    """A bar for the epoch under way, with the running loss and the last judged metrics."""

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        assert isinstance(pl_module, Judge)
        judged = pl_module.judged
        shown = {name.replace("/", " "): f"{judged[name]:.4f}" for name in headlines(judged)}
        # on a GPU, reading the running loss would make the host wait for it
        if isinstance(pl_module, RecommenderModule) and pl_module.device.type == "cpu":
            shown["loss"] = f"{pl_module.running_loss():.4f}"
        return {**shown}

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        super().on_train_epoch_start(trainer)
        width = len(str(trainer.max_epochs))
        number = f"{trainer.current_epoch + 1:>{width}}/{trainer.max_epochs}"
        self.train_progress_bar.set_description(f"epoch {number}")
        # Lightning counts lists of batches; shown are batches
        if isinstance(trainer.train_dataloader, Stream):
            self.train_progress_bar.unit_scale = trainer.train_dataloader.steps_per_call

    def on_train_end(self, *args: Any) -> None:
        """Close the bar: the lines above say it all by then."""
        self.train_progress_bar.leave = False
        super().on_train_end(*args)

    # No bars for judging: it takes less time than reading them

    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    def init_test_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)


def _describe_epoch(epoch: Epoch, max_epochs: int | None, module: Judge) -> str:
    part, judged = module.judged_part, module.judged
    words = [f"{part} {label_of(name)} {judged[name]:.4f}" for name in headlines(judged)]
    words.append(f"{epoch['train/seconds']:.1f} s")
    if "train/loss" in epoch:
        words.insert(0, f"loss {epoch['train/loss']:.4f}")
        words.append(f"{epoch['train/examples_per_second'] / 1e3:,.0f}k examples/s")
    return "  ".join([f"epoch {int(epoch['epoch']) + 1:>2}/{max_epochs}", *words])


def _print_above_bar(trainer: pl.Trainer, line: str) -> None:
    bar = trainer.progress_bar_callback
    if bar is not None:
        bar.print(line)
    else:
        print(line, flush=True)

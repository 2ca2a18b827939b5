"""The Lightning Trainer of a run, from the `trainer` options."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import pytorch_lightning as pl
import torch
from annotated_types import Ge
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger
from threadpoolctl import threadpool_limits

from src.errors import UserError
from src.training.callbacks import EpochBar, EpochHistory, Patience
from src.training.judging import lower_is_better


def make_trainer(
    folder: Path,
    monitor: str | None,
    logger: Logger | None,
    more: Sequence[pl.Callback] = (),
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    devices: Annotated[int, Ge(1)] = 1,
    precision: Literal["32", "bf16-mixed"] = "32",
    matmul: Literal["highest", "high"] = "highest",
    deterministic: bool = True,
    max_epochs: Annotated[int, Ge(1)] = 30,
    patience: Annotated[int, Ge(1)] | None = 5,
    threads: Annotated[int, Ge(1)] | None = 1,
) -> pl.Trainer:
    """A trainer that keeps best.ckpt and last.ckpt in `folder`/checkpoints.

    Without a `monitor` no epoch is judged, and the last one is the best. `more` callbacks follow
    our own. Raises UserError when the device isn't there. The options are explained in
    conf/trainer/auto.yaml.
    """
    accelerator = _resolve(accelerator, devices)
    set_up_cpu(threads)
    torch.set_float32_matmul_precision(matmul)
    _quieten()
    on_terminal = sys.stdout.isatty()
    keep = partial(
        ModelCheckpoint,
        folder / "checkpoints",
        save_on_train_epoch_end=True,  # after the history has this epoch
        enable_version_counter=False,
    )
    # Two, because Lightning's save_last renews last.ckpt only when best.ckpt is renewed
    mode = "min" if monitor and lower_is_better(monitor) else "max"
    best, last = keep(filename="best", monitor=monitor, mode=mode), keep(filename="last")
    callbacks: list[pl.Callback] = [EpochHistory(), best, last, *more]
    if monitor and patience is not None:
        callbacks.append(Patience(monitor, mode=mode, patience=patience))
    if on_terminal:
        callbacks.append(EpochBar(refresh_rate=4, leave=False))
    return pl.Trainer(
        accelerator=accelerator,
        devices=devices,
        precision=precision,
        max_epochs=max_epochs,
        limit_val_batches=None if monitor else 0,
        logger=logger or False,
        callbacks=callbacks,
        # a CPU is so anyway; a GPU's fast atomic additions would make two runs of one seed differ
        deterministic="warn" if accelerator == "gpu" and deterministic else None,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_progress_bar=on_terminal,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def set_up_cpu(threads: int | None) -> None:
    """How torch, numpy and scipy are to compute on the CPU; None leaves the threads to them."""
    if threads is not None:
        torch.set_num_threads(threads)
        threadpool_limits(threads)
    # the momentum of rows seldom read fades into denormals, which CPUs handle 50 times slower
    torch.set_flush_denormal(True)


def history_of(trainer: pl.Trainer) -> EpochHistory:
    """The trainer's record of its epochs."""
    return next(c for c in trainer.callbacks if isinstance(c, EpochHistory))  # type: ignore[attr-defined]


def _resolve(accelerator: str, devices: int) -> Literal["cpu", "gpu"]:
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator == "cpu" or (accelerator == "auto" and not found):
        return "cpu"
    if found < devices:
        raise UserError(
            f"trainer.accelerator={accelerator} trainer.devices={devices}: this machine has "
            f"{found} CUDA devices that torch can use; try trainer=cpu"
        )
    return "gpu"


def _quieten() -> None:
    """Lightning's start-up notices say nothing that our own output doesn't."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*returned `None`, this fit will run with no opt.*")
    warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own, torch 2.13

"""The Lightning Trainer of a run, from the `trainer` options."""

from __future__ import annotations

import inspect
import logging
import sys
import warnings
from collections.abc import Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from threadpoolctl import threadpool_limits

from src.config.build import Component
from src.errors import UserError, did_you_mean
from src.evaluation.catalogue import lower_is_better
from src.training.callbacks import EpochBar, EpochHistory, Patience
from src.training.checkpoint_files import CheckpointFiles
from src.training.trainer_options import TrainerOptions

if TYPE_CHECKING:
    from src.training.strategy import Processes, SharedStrategy

# Options of Lightning's Trainer that steps taken by hand, or metrics over all targets, rule out
INSTEAD = {
    "accumulate_grad_batches": "steps are taken by hand here; use a larger data.batch_size",
    "gradient_clip_val": "steps are taken by hand here; use gradient_clip",
    "gradient_clip_algorithm": "steps are taken by hand here; use gradient_clip",
    "fast_dev_run": "every target has to be ranked; use trainer.max_epochs",
    "overfit_batches": "every target has to be ranked; use a smaller data set",
    "limit_val_batches": "every target has to be ranked",
    "limit_test_batches": "every target has to be ranked",
    "strategy": "several processes share steps in a way of their own here; use trainer=ddp",
    "num_nodes": "use trainer.nodes",
}


def make_trainer(
    folder: str | Path,
    options: TrainerOptions = TrainerOptions(),  # noqa: B008 - frozen
    *,
    monitor: str | None = "val/ndcg@10",
    logger: Logger | None = None,
    callbacks: Sequence[pl.Callback] = (),
    processes: Processes | None = None,
) -> pl.Trainer:
    """Make a trainer that keeps best.ckpt and last.ckpt in `folder`/checkpoints.

    Without a `monitor` no epoch is judged, and the last one is the best. `callbacks` follow our
    own and those of the options. `processes`: those that share the work; without them Lightning
    starts what several devices need. Raises UserError when the device isn't there, and for further
    options that Lightning does not take.
    """
    accelerator = _choose_accelerator(options.accelerator, options.devices)
    own = build_callbacks(options)
    set_up_cpu(options.threads)
    torch.set_float32_matmul_precision(options.matmul)
    _quieten()
    first = processes is None or processes.place.rank == 0
    on_terminal = first and sys.stdout.isatty()
    checkpoints = checkpoints_in(folder)
    every = [EpochHistory(), *_keep_checkpoints(checkpoints, monitor), *own, *callbacks]
    if monitor and options.patience is not None:
        every.append(Patience(monitor, mode=_mode_of(monitor), patience=options.patience))
    if on_terminal:
        every.append(EpochBar(refresh_rate=4, leave=False))
    settings: dict[str, Any] = {
        "accelerator": accelerator,
        "devices": options.devices,
        "num_nodes": options.nodes,
        "strategy": _choose_strategy(options, processes),
        "precision": options.precision,
        "max_epochs": options.max_epochs,
        "limit_val_batches": None if monitor else 0,
        "logger": logger or False,
        "callbacks": every,
        # a CPU is so anyway; a GPU's fast atomic additions would make two runs of one seed differ
        "deterministic": "warn" if accelerator == "gpu" and options.deterministic else None,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "enable_progress_bar": on_terminal,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    check_more(options.more, settings)
    try:
        return pl.Trainer(**settings, **{"plugins": CheckpointFiles(checkpoints), **options.more})
    except (MisconfigurationException, ValueError, TypeError) as error:
        if not options.more:
            raise
        raise UserError(f"trainer.more: {error}") from error


def checkpoints_in(folder: str | Path) -> Path:
    """Return where the checkpoints of a run lie."""
    return (Path(folder).expanduser() / "checkpoints").resolve()


def _choose_strategy(
    options: TrainerOptions, processes: Processes | None
) -> SharedStrategy | Literal["auto"]:
    if options.devices * options.nodes == 1:
        return "auto"
    from src.training.strategy import SharedStrategy

    return SharedStrategy(processes)


def build_callbacks(options: TrainerOptions) -> list[pl.Callback]:
    """Make the callbacks of the user's own. Raises UserError for what is none."""
    made = []
    for place, node in enumerate(options.callbacks):
        chosen = Component.read(node, f"trainer.callbacks.{place}")
        callback = chosen.build()
        if not isinstance(callback, pl.Callback):
            raise UserError(f"trainer.callbacks: {chosen.target} is no Lightning Callback")
        made.append(callback)
    return made


def check_more(more: Mapping[str, Any], taken: Container[str] = ()) -> None:
    """Refuse further options that the Trainer doesn't have, or that are ours to set."""
    known = inspect.signature(pl.Trainer).parameters
    for name in more:
        if name in INSTEAD:
            raise UserError(f"trainer.more.{name}: {INSTEAD[name]}")
        if name not in known:
            raise UserError(f"no option trainer.more.{name}{did_you_mean(name, known)}")
        if name in taken:
            raise UserError(f"trainer.more.{name} is set by this project: use trainer.{name}")


def _keep_checkpoints(folder: Path, monitor: str | None) -> list[ModelCheckpoint]:
    """Return what writes best.ckpt and last.ckpt.

    Two, because Lightning's save_last renews last.ckpt only when best.ckpt is renewed.
    """
    keep = partial(
        ModelCheckpoint,
        folder,
        save_on_train_epoch_end=True,  # after the history has this epoch
        enable_version_counter=False,
    )
    mode = _mode_of(monitor) if monitor else "max"
    return [keep(filename="best", monitor=monitor, mode=mode), keep(filename="last")]


def _mode_of(monitor: str) -> Literal["min", "max"]:
    return "min" if lower_is_better(monitor) else "max"


def set_up_cpu(threads: int | None) -> None:
    """Say how torch, numpy and scipy compute on the CPU; None leaves the threads to them."""
    if threads is not None:
        torch.set_num_threads(threads)
        threadpool_limits(threads)
    # the momentum of rows seldom read fades into denormals, which CPUs handle 50 times slower
    torch.set_flush_denormal(True)


def find_history(trainer: pl.Trainer) -> EpochHistory:
    """Return the trainer's record of its epochs."""
    return next(c for c in trainer.callbacks if isinstance(c, EpochHistory))  # type: ignore[attr-defined]


def _choose_accelerator(accelerator: str, devices: int) -> Literal["cpu", "gpu"]:
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
    """Silence Lightning's start-up notices, which say nothing that our own output doesn't."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    # of best.ckpt and last.ckpt the first is meant by ckpt_path="best"
    warnings.filterwarnings("ignore", message=".*with multiple `ModelCheckpoint` callbacks.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    # parts of a fusion, which were trained before
    warnings.filterwarnings("ignore", message=".*module.s. in eval mode at the start.*")
    # what is logged is the same on all processes, or of the first one alone
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    warnings.filterwarnings("ignore", message=".*returned `None`, this fit will run with no opt.*")
    warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own, torch 2.13

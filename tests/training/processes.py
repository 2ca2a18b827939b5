"""Processes that train together, without a command around them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist

from src.data.share import Share


def together(n: int, folder: Path, work: Callable[[Share], Any]) -> list[Any]:
    """What `work` returns in each of n forked processes with a gloo group between them."""
    folder.mkdir(exist_ok=True)
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_work, args=(Share(rank, n), folder, work)) for rank in range(n)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0] * n
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(n)]


def _work(share: Share, folder: Path, work: Callable[[Share], Any]) -> None:
    store = dist.FileStore(str(folder / "store"), share.world_size)
    dist.init_process_group(
        "gloo", store=store, rank=share.rank, world_size=share.world_size,
        timeout=timedelta(seconds=30),
    )  # fmt: skip
    result = work(share)
    torch.save(result, folder / f"{share.rank}.pt")
    dist.destroy_process_group()


class KeepWeights(pl.Callback):
    """Leaves the weights of each process in the run's folder."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        file = Path(trainer.default_root_dir) / f"weights-{trainer.global_rank}.pt"
        torch.save(pl_module.state_dict(), file)

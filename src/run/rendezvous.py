"""Where the processes of a run meet: who started them, and what they are told through a store."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import count
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from src.config.processes import launched_rank
from src.errors import UserError
from src.training.strategy import TIMEOUT, Place

HOST = "127.0.0.1"
# For what has no end of its own: the next task, the end of another process
FOREVER = timedelta(days=365)


class Meeting:
    """The store of a run's processes, and their group."""

    def __init__(self, store: dist.Store, place: Place) -> None:
        self.store, self.place = store, place
        self.joined = False

    def join(self, device: torch.device) -> None:
        """Make the process group, once: by NCCL on GPUs, by gloo on CPUs."""
        if self.joined:
            return
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(device)
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            store=dist.PrefixStore("group", self.store),
            rank=self.place.rank,
            world_size=self.place.world_size,
            timeout=TIMEOUT,
            device_id=device if on_gpu else None,
        )
        self.joined = True

    def part(self) -> None:
        """Give the process group up."""
        if self.joined:
            self.joined = False
            dist.destroy_process_group()


def find_launched() -> ClusterEnvironment | None:
    """Return what tells the place of this process, if torchrun or srun started several.

    Raises UserError where Slurm's variables don't suffice.
    """
    if TorchElasticEnvironment.detect():
        found: ClusterEnvironment = TorchElasticEnvironment()
    elif launched_rank()[1] and SLURMEnvironment.detect():
        try:
            found = SLURMEnvironment()
        except RuntimeError as error:
            raise UserError(f"Slurm: {error}") from error
    else:
        return None
    return found if found.world_size() > 1 else None


def place_of(launched: ClusterEnvironment) -> Place:
    """Return the place that torchrun or Slurm gave this process."""
    return Place(launched.global_rank(), launched.world_size(), launched.local_rank())


def connect(launched: ClusterEnvironment) -> dist.TCPStore:
    """Return the store of processes that torchrun or Slurm started; the first process has it.

    torchrun brings its own.
    """
    brought = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return dist.TCPStore(
        launched.main_address,
        launched.main_port,
        is_master=launched.global_rank() == 0 and not brought,
        wait_for_workers=False,
        timeout=timedelta(minutes=30),
    )


_launched_store: list[dist.TCPStore] = []
_runs = count()


def open_next(launched: ClusterEnvironment) -> dist.Store:
    """Return the store of this process's next run, among processes that torchrun or Slurm started.

    Every process opens them in the same order.
    """
    if not _launched_store:
        _launched_store.append(connect(launched))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"{attempt}/run-{next(_runs)}", _launched_store[0])


def describe_error(error: BaseException) -> dict[str, Any]:
    """Tell other processes of an error: its text, and whether it only tells of another's end."""
    text = str(error)
    lost = isinstance(error, dist.DistError) or any(
        word in text for word in ("gloo", "NCCL", "Connection")
    )
    return {"text": f"{type(error).__name__}: {text}", "lost": lost}

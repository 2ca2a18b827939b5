"""`python -m benchmarks.exchange`: what two processes that train one model send at a step.

MF with 64 factors on a million users and 100,000 items, drawn as skewed as plays are, in two
processes of this machine with gloo between them.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from src.data.share import WHOLE, Share
from src.data.stream import Batch
from src.models import MF
from src.training.adam import Adam
from src.training.exchange import Exchange
from src.training.losses import BCE
from src.training.module import RecommenderModule
from src.training.shared_steps import SharedSteps
from src.training.steps import TorchSteps

N_USERS, N_ITEMS, FACTORS, NEGATIVES, STEPS = 1_000_000, 100_000, 64, 4, 30
BATCH_SIZES = (256, 4096, 65536)


def draw(batch_size: int, step: int) -> Batch:
    """A batch whose positives are popular items, and whose negatives are any."""
    rng = np.random.default_rng((batch_size, step))
    n = batch_size // (1 + NEGATIVES)
    positives = np.minimum(rng.zipf(1.3, (n, 1)), N_ITEMS) - 1
    items = np.concatenate([positives, rng.integers(N_ITEMS, size=(n, NEGATIVES))], 1)
    return Batch(torch.from_numpy(rng.integers(N_USERS, size=n)), torch.from_numpy(items))


def make_steps(share: Share) -> TorchSteps:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = RecommenderModule(MF(N_USERS, N_ITEMS, FACTORS), BCE(), partial(Adam))
    optimizer = Adam(module.parameters())
    # at first all rows are brought up to date every few steps, see src/training/compiled/rows.py
    optimizer.param_groups[0]["step"] = 1_000_000
    optimizer.defer(module.model.table)  # type: ignore[attr-defined, arg-type]
    if share is WHOLE:
        return TorchSteps(module, optimizer, explicit=True)
    return SharedSteps(module, optimizer, Exchange(share), explicit=True)


def measure(share: Share) -> None:
    """Print, from the first process, what a step sends and how long it takes."""
    steps = make_steps(share)
    for batch_size in BATCH_SIZES:
        batches = [draw(batch_size, step) for step in range(STEPS)]
        seconds = []
        before = steps.exchange.bytes_sent if isinstance(steps, SharedSteps) else 0
        for batch in batches:
            started = time.perf_counter()
            steps.take([batch])
            seconds.append(time.perf_counter() - started)
        if share.rank == 0:
            sent = steps.exchange.bytes_sent - before if isinstance(steps, SharedSteps) else 0
            took = statistics.median(seconds) * 1e3
            print(
                f"batch {batch_size:>6,}: {share.world_size} processes, each sends "
                f"{sent / STEPS / 1e3:,.1f} kB a step, which takes {took:,.2f} ms",
                flush=True,
            )


def work(share: Share, store: str) -> None:
    joined = dist.FileStore(store, share.world_size)
    dist.init_process_group("gloo", store=joined, rank=share.rank, world_size=share.world_size)
    measure(share)
    dist.destroy_process_group()


def main() -> None:
    n_processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    weight = MF(1, 1, FACTORS).table.weight
    dense = (N_USERS + N_ITEMS) * weight.shape[1] * weight.element_size()
    print(f"the table's gradient as a whole would be {dense / 1e6:,.0f} MB")
    measure(WHOLE)
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("fork")
        others = [
            context.Process(target=work, args=(Share(rank, n_processes), str(Path(folder) / "s")))
            for rank in range(n_processes)
        ]
        for other in others:
            other.start()
        for other in others:
            other.join()


if __name__ == "__main__":
    main()

"""`python -m benchmarks.gpu_processes`: two processes on one GPU beside a single one.

NCCL wants a GPU for each process. Where there is one, gloo carries the tensors of both, and NCCL is
tried with a group of one. `--cpu` tries all but that without a GPU.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.share import WHOLE, Share
from src.data.sources.synthetic import Synthetic
from src.models import NeuMF
from src.training.adam import Adam
from src.training.exchange import Exchange
from src.training.losses import BCE
from src.training.module import RecommenderModule
from src.training.shared_steps import SharedSteps
from src.training.steps import TorchSteps
from src.training.strategy import Place, Processes, Running
from src.training.trainer import find_history, make_trainer
from src.training.trainer_options import TrainerOptions

N_USERS, N_ITEMS, N_INTERACTIONS = 2000, 500, 60_000
ON_GPU = "--cpu" not in sys.argv


def make_module() -> RecommenderModule:
    torch.manual_seed(0)
    # on a CPU too the steps that a GPU takes
    return RecommenderModule(NeuMF(N_USERS, N_ITEMS), BCE(), partial(Adam, lr=1e-3), compiled=False)


def fit(share: Share, folder: Path, deterministic: bool) -> dict[str, Any]:
    """What a run of three epochs comes to in each process."""
    source = Synthetic(n_users=N_USERS, n_items=N_ITEMS, n_interactions=N_INTERACTIONS)
    data = InteractionDataModule(source, DataOptions(batch_size=2048), cache=folder / "cache")
    options = TrainerOptions(
        accelerator="gpu" if ON_GPU else "cpu",
        nodes=share.world_size,
        max_epochs=3,
        patience=None,
        deterministic=deterministic,
    )
    # as if each process had a machine with a GPU
    processes = Processes(Place(share.rank, share.world_size), Running())
    trainer = make_trainer(folder / "run", options, processes=processes)
    module = make_module()
    trainer.fit(module, datamodule=data)
    if find_spec("scipy"):  # for estimates
        trainer.test(module, datamodule=data, ckpt_path="last", verbose=False)
    weights = {name: weight.detach().cpu() for name, weight in module.named_parameters()}
    judged = [(e["train/loss"], e["val/ndcg@10"]) for e in find_history(trainer).epochs]
    tested = {name: v for name, v in module.tested.items() if "seconds" not in name}
    return {"weights": weights, "judged": judged, "tested": tested}


def work(share: Share, folder: Path, deterministic: bool) -> None:
    if share != WHOLE:
        store = dist.FileStore(str(folder / "store"), share.world_size)
        dist.init_process_group("gloo", store=store, rank=share.rank, world_size=share.world_size)
    torch.save(fit(share, folder, deterministic), folder / f"{share.rank}.pt")
    if share != WHOLE:
        dist.destroy_process_group()


def run(n_processes: int, deterministic: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder, context = Path(name), multiprocessing.get_context("spawn")
        shares = [Share(rank, n_processes) for rank in range(n_processes)]
        others = [context.Process(target=work, args=(s, folder, deterministic)) for s in shares]
        for other in others:
            other.start()
        for other in others:
            other.join()
        return [
            torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(n_processes)
        ]


def compare(one: dict[str, Any], several: list[dict[str, Any]]) -> None:
    first = several[0]["weights"]
    same = all(torch.equal(first[n], other["weights"][n]) for other in several for n in first)
    furthest = max(float((first[name] - one["weights"][name]).abs().max()) for name in first)
    print(f"  weights of both processes are the same to the last bit: {same}")
    print(f"  furthest from one process: {furthest:.2g}")
    for name, found in (("one", one), ("both", several[0])):
        tested = [found["tested"].get(f"test/{metric}@10") for metric in ("hr", "ndcg")]
        print(f"  {name}: {found['judged']}, on test {tested}")
    told = several[0]["tested"] == several[-1]["tested"]
    print(f"  both processes were told the same metrics: {told}", flush=True)


def try_nccl() -> None:
    """Steps through NCCL in a group of one: the same as without, and what they take."""
    device = torch.device("cuda", 0)
    with tempfile.TemporaryDirectory() as folder:
        store = dist.FileStore(f"{folder}/store", 1)
        dist.init_process_group("nccl", store=store, rank=0, world_size=1, device_id=device)
        torch.use_deterministic_algorithms(True, warn_only=True)
        found = []
        for shared in (False, True):
            module = make_module().to(device)
            optimizer = Adam(module.parameters())
            steps: TorchSteps = (
                SharedSteps(module, optimizer, Exchange(WHOLE), explicit=True)
                if shared
                else TorchSteps(module, optimizer, explicit=True)
            )
            torch.manual_seed(1)
            batch = _draw(device)
            steps.take([batch] * 3)
            torch.cuda.synchronize()
            started = time.perf_counter()
            steps.take([batch] * 100)
            torch.cuda.synchronize()
            took = (time.perf_counter() - started) * 10
            steps.release()
            found.append({n: w.detach().clone() for n, w in module.named_parameters()})
            print(f"  NCCL, a group of one, shared={shared}: {took:.3f} ms a step", flush=True)
        furthest = max(float((found[0][n] - found[1][n]).abs().max()) for n in found[0])
        print(f"  furthest weight with and without: {furthest:.2g}")
        dist.destroy_process_group()


def _draw(device: torch.device) -> Any:
    from src.data.stream import Batch

    users = torch.randint(N_USERS, (4096,), device=device)
    return Batch(users, torch.randint(N_ITEMS, (4096, 5), device=device))


def main() -> None:
    for deterministic in (True, False):
        print(f"two processes, deterministic={deterministic}", flush=True)
        (one,) = run(1, deterministic)
        compare(one, run(2, deterministic))
    if ON_GPU:
        try_nccl()


if __name__ == "__main__":
    main()

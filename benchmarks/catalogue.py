"""`python -m benchmarks.catalogue ours|plain`: seconds and memory of ranking everything."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.assembled import compose, make
from benchmarks.measure import seconds
from benchmarks.reference import PlainNeuMF
from src.data.targets import CatalogueTargets
from src.evaluation.metrics import ranks
from src.evaluation.ranking import Ranking


def memory(field: str) -> float:
    """Of this process, in MB: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


def plain(model: PlainNeuMF, targets: CatalogueTargets, users_at_once: int = 64) -> Tensor:
    """Every pair through the model's forward, a chunk of users at a time."""
    found = []
    items = torch.arange(targets.n_items)[None]
    for batch in targets:
        scores = torch.cat(
            [
                model.score_grouped(users, items.repeat(len(users), 1))
                for users in batch.users.split(users_at_once)
            ]
        )
        own = scores[batch.rows, batch.targets]
        found.append(ranks(own, scores[batch.rows], batch.known[batch.rows]))
    return torch.cat(found)


def main(which: str, options: list[str]) -> None:
    """Prints {"seconds": ..., "megabytes": above the idle process}."""
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        _, module, data = make(compose(*options, "data.candidates=all"), Path(folder))
        targets = data.targets("test")
        assert isinstance(targets, CatalogueTargets)
        model = PlainNeuMF(data.prepared.n_users, data.prepared.n_items)
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
        idle = memory("VmRSS")
        if which == "ours":
            ranking = Ranking(targets, module.device, module.scale, max(module.ks))
            took = seconds(lambda: [ranking.score(module.model.eval(), it) for it in targets])
        else:
            took = seconds(lambda: plain(model, targets))
        print(json.dumps({"seconds": took, "megabytes": memory("VmHWM") - idle}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

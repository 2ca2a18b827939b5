"""What the selected epoch does for each validated user: runs can be compared by that."""

from __future__ import annotations

from pathlib import Path

from src.data.targets import make_targets
from src.evaluation.catalogue import CUTOFF, GROUPED
from src.evaluation.per_user import write_per_user
from src.evaluation.ranking import Ranking
from src.run.assembly import Run
from src.run.lookup import BEST
from src.run.options import Options
from src.training.checkpoints import load_model

FILE = "validation.parquet"
ERROR = "/se"
"""Ends the name of a metric's standard error over users: "val/ndcg@10/se"."""


def judge_users(made: Run, options: Options, folder: Path) -> dict[str, float]:
    """Write HR@10 and NDCG@10 of every validated user; return their standard errors.

    By the weights of the epoch that was selected, which `folder` has. The standard error is that of
    the mean over users, as if they were drawn from many like them.
    """
    prepared, device = made.data.prepared, made.module.device
    model = load_model(
        folder / BEST, prepared.n_users, prepared.n_items, trusted=options.trusted
    ).to(device)
    targets = make_targets(prepared, "val", device)
    chosen = [metric for metric in made.module.metrics if metric.name in GROUPED]
    ranking = Ranking(targets, device, None, metrics=chosen)
    for batch in targets:
        if batch is not None:
            ranking.score(model, batch)
    users, values = ranking.per_user([CUTOFF])
    write_per_user(folder / FILE, prepared.part("val").user_ids, users, values)
    return {
        f"val/{name}{ERROR}": (value.std() / len(value) ** 0.5).item()
        for name, value in values.items()
    }

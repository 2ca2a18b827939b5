"""Runs made up for comparing them, without MLflow and without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from src.tracking.reading import Reader, Record

PARAMS = {
    "model.name": "gmf",
    "model.factors": "8",
    "seed": "0",
    "data.name": "toy",
    "data.candidates": "99",
    "data.negatives": "4",
    "protocol.name": "leave-one-out",
    "protocol.monitor": "val/ndcg@10",
    "protocol.refit": "False",
    "loss._target_": "src.training.losses.BCE",
}


def record(
    metrics: Mapping[str, float] | None = None,
    status: str = "FINISHED",
    tags: Mapping[str, str] | None = None,
    **params: Any,
) -> Record:
    """A run with these params, `model__factors=16` for model.factors; with an id of its own."""
    given = {**PARAMS, **{key.replace("__", "."): str(value) for key, value in params.items()}}
    record.made += 1  # type: ignore[attr-defined]
    return Record(
        run_id=f"{record.made:032x}",  # type: ignore[attr-defined]
        name=f"{given['model.name']} seed {given['seed']}",
        status=status,
        params=given,
        metrics=dict(metrics or {}),
        tags={"data_fingerprint": "f" * 64, "git_commit": "c" * 40, **(tags or {})},
        started=1_700_000_000_000 + record.made,  # type: ignore[attr-defined]
    )


record.made = 0  # type: ignore[attr-defined]


def judged(test: float, val: float, **more: float) -> dict[str, float]:
    """The metrics of a run that was judged by NDCG@10."""
    return {
        "test/ndcg@10": test,
        "test/hr@10": 1.5 * test,
        "test/full/ndcg@10": test / 8,
        "val/ndcg@10": 0.0,  # of the last epoch, which nothing should read
        "best/val/ndcg@10": val,
        "fit/best_epoch": 2,
        "fit/seconds": 10.0,
        "fit/parameters": 1000,
        **more,
    }


class Shelf(Reader):
    """A reader of tables that are given, by run id and file."""

    def __init__(self, tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> None:
        self.tables = tables

    def table(self, record: Record, file: str) -> pd.DataFrame | None:
        return self.tables.get(record.run_id, {}).get(file)


def tables(ranks: list[int], losses: list[float], monitor: str) -> dict[str, pd.DataFrame]:
    """What a run leaves that ranked the targets of users u0, u1, ... so, after so many epochs."""
    users = [f"u{i}" for i in range(len(ranks))]
    rank = np.array(ranks)
    hits = (rank <= 10).astype(float)
    epoch = np.arange(len(losses))
    return {
        "history.csv": pd.DataFrame(
            {"epoch": epoch, "train/loss": losses, monitor: 0.1 + 0.05 * epoch}
        ),
        "ranks.parquet": pd.DataFrame({"user": users, "item": "i", "rank": rank}),
        "per_user.parquet": pd.DataFrame(
            {"user": users, "hr@10": hits, "ndcg@10": hits / np.log2(rank + 1)}
        ),
    }

"""Make up runs for tables and figures: jobs, their records and their files, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.papers.exhibits import EXHIBITS
from src.papers.reproduction import ExhibitResult, RecordedRuns, collect_result
from src.papers.request import PaperRequest
from src.papers.sweeps import Sweep
from src.sweeping.plan import Job
from src.tracking.reading import Reader, Record

Tables = Mapping[str, pd.DataFrame]


class Shelf(Reader):
    """A reader of given tables, by run id and file."""

    def __init__(self, tables: Mapping[str, Tables]) -> None:
        self.tables = tables

    def table(self, record: Record, file: str) -> pd.DataFrame | None:
        return self.tables.get(record.run_id, {}).get(file)


def make_job(key: str, system: str = "gmf", factors: int = 8, **data: Any) -> Job:
    """Return a job of that system: "neumf", "neumf-pretrained", "mf-bpr", ..."""
    name = system.split("-", maxsplit=1)[0]
    options: dict[str, Any] = {
        "model": {"name": name, "factors": factors, "num_layers": 3},
        "loss": {"_target_": "losses.BPR" if system.endswith("-bpr") else "losses.BCE"},
        "data": {"name": "ncf-ml-1m", "negatives": 4, **data},
    }
    if system.endswith("-pretrained"):
        options["pretrain"] = {"gmf": {}, "mlp": {}}
    return Job([], {}, options, key, Path(key))


def make_files(ranks: Sequence[int], epochs: int = 2) -> Tables:
    """Return what a run leaves whose targets had these ranks."""
    rank = np.array(ranks)
    hits = (rank <= 10).astype(float)
    history = {"epoch": range(epochs), "train/loss": [0.5 - 0.1 * e for e in range(epochs)]}
    for part in ("val", "test"):
        history |= {f"{part}/{m}": [0.3 + 0.1 * e for e in range(epochs)] for m in HR_AND_NDCG}
    return {
        "ranks.parquet": pd.DataFrame({"user": rank, "item": rank, "rank": rank}),
        "per_user.parquet": pd.DataFrame({"hr@10": hits, "ndcg@10": hits / np.log2(rank + 1)}),
        "history.csv": pd.DataFrame(history),
    }


HR_AND_NDCG = ("hr@10", "ndcg@10")


def make_record(key: str, hr: float, ndcg: float, seed: int = 0, **tags: str) -> Record:
    """Return the run of a job, finished unless it has an error."""
    return Record(
        run_id=f"run-of-{key}",
        name=key,
        status="FAILED" if "error" in tags else "FINISHED",
        params={
            "seed": str(seed),
            "protocol.name": "leave-one-out",
            "optimizer._target_": "adam.Adam",
            "optimizer.lr": "0.005",
            "data.batch_size": "4096",
        },
        metrics={"test/hr@10": hr, "test/ndcg@10": ndcg, "fit/seconds": 1800.0},
        tags={"job": key, "git_commit": "c0ffee" + "0" * 34, **tags},
        started=1_700_000_000_000,
    )


def make_runs(*records: Record, **ranks: Sequence[int]) -> RecordedRuns:
    """Return these runs with their files.

    `ranks` of the targets by job key; without them 100 users, every other one with a hit.
    """
    shelf = Shelf({r.run_id: make_files(ranks.get(r.tags["job"], [1, 20] * 50)) for r in records})
    return RecordedRuns({r.tags["job"]: (shelf, r) for r in records})


def make_result(
    exhibit: str, jobs: Sequence[Job], kept: RecordedRuns, protocol: str = "leave-one-out"
) -> ExhibitResult:
    """Return the exhibit's rows, of one sweep with these jobs."""
    sweep = Sweep("made", "ncf-ml-1m", protocol, [], list(jobs))
    request = PaperRequest([EXHIBITS[exhibit]], ["ncf-ml-1m"], [protocol])
    return collect_result(EXHIBITS[exhibit], "ncf-ml-1m", [sweep], request, kept)

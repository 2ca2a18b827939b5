"""The runs behind the rows: which there are, making those that are missing, and reading them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from src.config.paths import CONF
from src.errors import UserError
from src.papers.exhibits import NO_CHANCE
from src.papers.sweeps import compose_sweep
from src.run.provenance import read_provenance
from src.sweeping.plan import plan

RELEASED, WITH_ORDER = "ncf-ml-1m", "ml-1m"
ARCHIVE = {RELEASED: "data.times", WITH_ORDER: "data.path"}
"""The option of each data set that takes a MovieLens-1M folder."""
SEEDS = (0, 1, 2)
PROTOCOL = "protocol=leave-one-out-latest"


def list_seeds(name: str) -> tuple[int, ...]:
    """Return the seeds of a model: one says it all of those that draw nothing."""
    return SEEDS[:1] if name in NO_CHANCE else SEEDS


def list_experiments(data: str, wanted: Sequence[str] = ()) -> list[str]:
    """Return a data set's experiments that have one of the names, such as ease or ml-1m/ease."""
    names = sorted(file.stem for file in (CONF / "experiment" / data).glob("*.yaml"))
    return [name for name in names if not wanted or {name, f"{data}/{name}"} & set(wanted)]


def make_missing(wanted: Sequence[str], archive: str | None) -> None:
    """Run what is missing, one sweep a data set and seed, a seed of all before the next.

    archive: a MovieLens-1M folder. Raises UserError for a name that nothing has.
    """
    for word in wanted:
        if not any(list_experiments(data, [word]) for data in ARCHIVE):
            raise UserError(f"{word}: no such experiment of {' or '.join(ARCHIVE)}")
    for seed in SEEDS:
        for data in ARCHIVE:
            names = [name for name in list_experiments(data, wanted) if seed in list_seeds(name)]
            if names:
                words = [
                    *_make_words(data, names, seed, archive),
                    f"sweep.name=baselines-{data}-{seed}",
                ]
                command = [sys.executable, "-m", "src.train", "-m", *words]
                subprocess.run(command, check=False)  # what failed is not in the table


def _make_words(data: str, names: Sequence[str], seed: int, archive: str | None) -> list[str]:
    """Return the words behind `python -m src.train -m` for these experiments."""
    experiments = ",".join(f"{data}/{name}" for name in names)
    words = [f"experiment={experiments}", f"data={data}", PROTOCOL, f"seed={seed}", "trainer=cpu"]
    return words if archive is None else [*words, f"{ARCHIVE[data]}={archive}"]


def read(data: str, archive: str | None) -> pd.DataFrame:
    """Return one row a run that is there: model, seed, knows, seconds, users and metrics.

    "seconds" is what it takes to fit the tested weights, those of parts included; "in all" adds
    the fit before, by which the epoch is chosen. "users": NDCG@10 on test by user, float [U].
    Raises UserError where there is none.
    """
    rows = []
    for seed in SEEDS:
        names = [name for name in list_experiments(data) if seed in list_seeds(name)]
        jobs = plan(compose_sweep(_make_words(data, names, seed, archive)))
        for name, job in zip(names, jobs, strict=True):
            if job.metrics is not None:
                rows.append({"model": name, "seed": seed, **_read_run(job.folder)})
    if not rows:
        raise UserError(f"nothing on {data} is finished yet")
    return pd.DataFrame(rows).sort_values(["model", "seed"], ignore_index=True)


def _read_run(folder: Path) -> dict[str, Any]:
    known = read_provenance(folder)
    options = yaml.safe_load((folder / "config.yaml").read_text())
    parts = filter(None, (options["model"].get("pretrained") or {}).values())
    own, *others = [
        json.loads(Path(place, "metrics.json").read_text()) for place in (folder, *parts)
    ]
    chosen = sum(metrics["fit/seconds"] for metrics in (own, *others))
    refit = [metrics.get("refit/seconds", 0.0) for metrics in (own, *others)]
    # weights of parts are chosen in the fit, not in the second one
    tested = [metrics.get("refit/seconds", metrics["fit/seconds"]) for metrics in (own, *others)]
    return {
        **own,
        **{name: known[name] for name in ("knows", "machine")},
        "commit": known["git_commit"][:7],
        "seconds": sum(tested) + (own["fit/seconds"] if others and refit[0] else 0.0),
        "in all": chosen + sum(refit),
        "users": pd.read_parquet(folder / "per_user.parquet")["ndcg@10"].to_numpy(),
    }

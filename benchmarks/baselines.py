"""`make baselines`: every model on the released MovieLens-1M, beside the published numbers.

Each row is one command, `python -m src.train experiment=ncf-ml-1m/NAME`, with three seeds where
chance has a part. Runs are kept in outputs/baselines, so that a second call makes only those that
are missing: `make baselines NAMES="ease mf"` makes some. The table goes to docs/baselines.md, and
docs/estimates.png shows what the estimates from sampled candidates are worth.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd

from src.config.paths import CONF, OUTPUTS
from src.papers import published
from src.papers.exhibits import NO_CHANCE
from src.papers.markdown import fill_mark
from src.run.provenance import machine

mpl.use("Agg")
from matplotlib import pyplot as plt

DATA = "ncf-ml-1m"
KEPT = OUTPUTS / "baselines"
DOCS = Path(__file__).resolve().parents[1] / "docs"
SEEDS = (0, 1, 2)


class Published(NamedTuple):
    """HR@10 and NDCG@10 on the same split and candidates, and whose they are."""

    hr: float
    ndcg: float
    source: str


def _published() -> dict[str, Published]:
    he, best = published.HE + " *", "neumf-pretrained"
    return {
        **{
            str(key[0]): Published(*scores, published.DACREMA)
            for key, scores in published.DACREMA_2021[DATA].items()
        },
        "itempop": Published(*published.FIGURE_4[DATA]["itempop", 0], he),
        "gmf": Published(*published.FIGURE_4[DATA]["gmf", 32], he),
        "mlp": Published(*published.TABLES_3_4[DATA][4, 64], he),
        "neumf": Published(*published.TABLE_2[DATA][best, 64], he),
        "mf": Published(*published.RENDLE_2020[DATA][("mf",)], published.RENDLE),
        "ials": Published(*published.IALS_TUNED, published.IRSPACK),
    }


PUBLISHED = _published()
COLUMNS = {
    "test/hr@10": "HR@10",
    "test/ndcg@10": "NDCG@10",
    "test/full/recall@10": "recall@10, all",
    "test/full/ndcg@10": "NDCG@10, all",
    "test/full/coverage@10": "coverage@10",
}
ESTIMATES = {
    "sampled": "test/",
    "unbiased rank": "test/unbiased-rank/",
    "bias-variance": "test/bias-variance/",
    "whole catalogue": "test/full/",
}


def names() -> list[str]:
    """The models that have an experiment."""
    return sorted(file.stem for file in (CONF / "experiment" / DATA).glob("*.yaml"))


def folder_of(name: str, seed: int) -> Path:
    return KEPT / f"{name}-{seed}"


def seeds_of(name: str) -> tuple[int, ...]:
    return SEEDS[:1] if name in NO_CHANCE else SEEDS


def make_missing(wanted: list[str]) -> None:
    """Runs what has no metrics yet, one command after the other."""
    jobs = [(name, seed) for name in wanted for seed in seeds_of(name)]
    jobs = [job for job in jobs if not (folder_of(*job) / "metrics.json").exists()]
    for place, (name, seed) in enumerate(jobs, 1):
        print(f"{place}/{len(jobs)}  {name}, seed {seed}", flush=True)
        options = [f"experiment={DATA}/{name}", f"seed={seed}", "tracking=none"]
        folder = folder_of(name, seed)
        command = [sys.executable, "-m", "src.train", *options, f"hydra.run.dir={folder}"]
        subprocess.run(command, check=True)


def measured() -> pd.DataFrame:
    """One row a run that is there: its model, its seed and its metrics."""
    rows = []
    for name in names():
        for seed in seeds_of(name):
            file = folder_of(name, seed) / "metrics.json"
            if file.exists():
                row = {"model": name, "seed": seed, **json.loads(file.read_text())}
                rows.append({**row, "seconds": _seconds(folder_of(name, seed))})
    return pd.DataFrame(rows)


def _seconds(folder: Path) -> float:
    """What it takes to fit the tested weights, their pre-trained parts included."""
    parts = [json.loads(file.read_text()) for file in folder.glob("**/metrics.json")]
    return sum(part.get("refit/seconds", part["fit/seconds"]) for part in parts)


def table(runs: pd.DataFrame) -> list[str]:
    """Markdown, worst first: means over seeds, with their standard deviation where there are."""
    groups = sorted(runs.groupby("model"), key=lambda group: group[1]["test/ndcg@10"].mean())
    heads = ["model", "published", *COLUMNS.values(), "fit, s", "score all, s", "seeds"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, group in groups:
        known = PUBLISHED.get(str(name))
        cells = [
            f"`{name}`",
            f"{_number(known.hr)} / {_number(known.ndcg)} ({known.source})" if known else "",
            *[_spread(group[column]) for column in COLUMNS],
            f"{group['seconds'].median():.1f}",
            f"{group['test/full/seconds'].median():.1f}",
            str(len(group)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw_estimates(runs: pd.DataFrame, file: Path) -> None:
    """How near each estimate from 99 candidates comes to ranking the whole catalogue."""
    means = runs.groupby("model").mean(numeric_only=True).sort_values("test/full/ndcg@10")
    figure, panels = plt.subplots(1, 2, figsize=(11, 0.32 * len(means) + 1.8), sharey=True)
    looks = {
        "sampled": ("#e45756", "o"),
        "unbiased rank": ("#f2a154", "s"),
        "bias-variance": ("#4c78a8", "D"),
        "whole catalogue": ("#222222", "|"),
    }
    for axes, (metric, title) in zip(
        panels, {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}.items(), strict=True
    ):
        for label, prefix in ESTIMATES.items():
            color, marker = looks[label]
            size = 200 if label == "whole catalogue" else 30
            values = means[f"{prefix}{metric}"]
            axes.scatter(values, range(len(means)), size, color=color, marker=marker, label=label)
        axes.set(title=title, xlabel="on test")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(means)), means.index)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("Ranking all unseen items, estimated from 99 sampled ones")
    figure.set_layout_engine("constrained")
    figure.savefig(file, dpi=130)
    plt.close(figure)


def errors(runs: pd.DataFrame) -> list[str]:
    """Markdown: mean absolute distance from the whole catalogue's value, over models."""
    means = runs.groupby("model").mean(numeric_only=True)
    lines = ["| | HR@10 | NDCG@10 | models nearer than sampled |", "|---|---|---|---|"]
    for label, prefix in list(ESTIMATES.items())[:-1]:
        off = {
            metric: (means[f"{prefix}{metric}"] - means[f"test/full/{metric}"]).abs()
            for metric in ("hr@10", "ndcg@10")
        }
        raw = (means["test/ndcg@10"] - means["test/full/ndcg@10"]).abs()
        nearer = "" if prefix == "test/" else f"{(off['ndcg@10'] < raw).sum()} of {len(means)}"
        cells = [label, f"{off['hr@10'].mean():.4f}", f"{off['ndcg@10'].mean():.4f}", nearer]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _number(value: float) -> str:
    return f"{value:.4f}".lstrip("0")


def _spread(values: pd.Series[float]) -> str:
    mean = _number(values.mean())
    return mean if len(values) == 1 else f"{mean} ± {_number(values.std())}"


def main(wanted: list[str]) -> None:
    """Makes what is missing, then the table and the picture of all that is there."""
    make_missing(wanted or names())
    runs = measured()
    page = DOCS / "baselines.md"
    fill_mark(page, "table", [f"{machine()}.", "", *table(runs)])
    fill_mark(page, "estimates", errors(runs))
    draw_estimates(runs, DOCS / "estimates.png")
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main(sys.argv[1:])

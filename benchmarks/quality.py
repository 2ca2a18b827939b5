"""`make bench-quality`: whether speed costs quality, three seeds of ours beside the plain loop's.

Curves of HR@10 and NDCG@10 on validation against epochs, at the defaults. Each curve is kept in
outputs/quality, so that a second call only draws. `python -m benchmarks.quality plain SEED FILE`
makes one curve of the plain loop.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import torch

from benchmarks.assembled import compose, found_here, make
from benchmarks.commands import python, train
from benchmarks.reference import PlainLoop, PlainNeuMF
from src.config.paths import OUTPUTS
from src.data.targets import CandidateTargets
from src.evaluation.metrics import metrics_at, ranks
from src.run.provenance import machine
from src.training.trainer import set_up_cpu

mpl.use("Agg")
from matplotlib import pyplot as plt

DATA = "ncf-ml-1m"
EPOCHS, SEEDS = 8, (0, 1, 2)
METRICS = {"val/hr@10": "HR@10", "val/ndcg@10": "NDCG@10"}
KEPT = OUTPUTS / "quality"
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "quality.png"


def ours(seed: int, file: Path) -> None:
    """The real command's epochs."""
    options = (
        *found_here(DATA),
        f"seed={seed}",
        f"trainer.max_epochs={EPOCHS}",
        "trainer.patience=null",
    )
    with tempfile.TemporaryDirectory() as home:
        train(Path(home), *options).epochs.to_csv(file, index=False)


def plain(seed: int, file: Path) -> None:
    """The plain loop's epochs, judged on the same candidates."""
    set_up_cpu(threads=1)
    with tempfile.TemporaryDirectory() as folder:
        data = make(compose(*found_here(DATA)), Path(folder))[2]
    targets = data.targets("val")
    assert isinstance(targets, CandidateTargets)
    loop = PlainLoop(data.prepared.split.train, negatives=4, batch_size=256, seed=seed)
    rows = []
    for epoch in range(EPOCHS):
        loop.epoch()
        rows.append({"epoch": epoch, **judge(loop.model, targets)})
    pd.DataFrame(rows).to_csv(file, index=False)


@torch.inference_mode()
def judge(model: PlainNeuMF, targets: CandidateTargets) -> dict[str, float]:
    """HR@10 and NDCG@10 on validation."""
    found = []
    for users, items in targets:
        scores = model.score_grouped(users, items)
        found.append(ranks(scores[:, 0], scores[:, 1:], items[:, 1:] == items[:, :1]))
    metrics = metrics_at(torch.cat(found), [10])
    return {name: metrics[name.removeprefix("val/")].mean().item() for name in METRICS}


def draw(curves: dict[str, list[pd.DataFrame]]) -> None:
    """Each curve thin, the mean of the seeds thick."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4))
    for axes, (column, title) in zip(panels, METRICS.items(), strict=True):
        for (label, seeds), color in zip(curves.items(), ("#e45756", "#4c78a8"), strict=True):
            for curve in seeds:
                axes.plot(curve["epoch"] + 1, curve[column], color=color, linewidth=0.7, alpha=0.5)
            mean = pd.concat(seeds).groupby("epoch")[column].mean()
            axes.plot(mean.index + 1, mean, color=color, linewidth=2, marker="o", label=label)
        axes.set(xlabel="epoch", title=f"{title} on validation")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="lower right")
    figure.suptitle(f"NeuMF-8 on {DATA}, batch 256, seeds {SEEDS}")
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=130)


def main() -> None:
    """Makes the curves that are missing, draws them, and prints where they end."""
    KEPT.mkdir(parents=True, exist_ok=True)
    curves: dict[str, list[pd.DataFrame]] = {"plain loop": [], "here": []}
    for seed in SEEDS:
        theirs, here = KEPT / f"plain-{seed}.csv", KEPT / f"here-{seed}.csv"
        if not theirs.exists():
            print(f"plain loop, seed {seed}", flush=True)
            python("-m", "benchmarks.quality", "plain", str(seed), str(theirs), home=OUTPUTS.parent)
        if not here.exists():
            print(f"here, seed {seed}", flush=True)
            ours(seed, here)
        curves["plain loop"].append(pd.read_csv(theirs))
        curves["here"].append(pd.read_csv(here))
    draw(curves)
    print(machine())
    for label, seeds in curves.items():
        together = pd.concat(seeds).groupby("epoch")[list(METRICS)].agg(["mean", "std"])
        print(f"\n{label}\n{together.round(4).to_string()}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["plain"]:
        plain(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()

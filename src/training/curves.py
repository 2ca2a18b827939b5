"""The picture of a run: loss and judged metrics by epoch."""

from __future__ import annotations

from pathlib import Path

from src.training.callbacks import Epoch


def draw_curves(file: Path, title: str, epochs: list[Epoch], best: int, part: str) -> None:
    """Writes a PNG: the training loss on the left, HR@10 and NDCG@10 of `part` on the right."""
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    numbers = [int(epoch["epoch"]) + 1 for epoch in epochs]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss_axes, metric_axes = figure.subplots(1, 2)
    loss_axes.plot(numbers, [epoch["train/loss"] for epoch in epochs], ".-", color="0.3")
    loss_axes.set_ylabel("training loss")
    for name, label, color in (("hr@10", "HR@10", "C0"), ("ndcg@10", "NDCG@10", "C1")):
        values = [epoch[f"{part}/{name}"] for epoch in epochs]
        metric_axes.plot(numbers, values, ".-", color=color, label=label)
        at_best = values[numbers.index(best + 1)]
        metric_axes.annotate(
            f"{at_best:.4f}",
            (best + 1, at_best),
            xytext=(-4, -14),
            textcoords="offset points",
            ha="right",
            fontsize="small",
            color=color,
        )
    metric_axes.axvline(best + 1, color="0.7", ls="--", lw=1, zorder=0, label="selected epoch")
    metric_axes.set_ylim(bottom=0)
    metric_axes.set_ylabel({"val": "validation", "test": "test"}[part])
    metric_axes.legend(loc="lower right", fontsize="small")
    for axes in (loss_axes, metric_axes):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(file, dpi=120)

"""The picture of a run: loss and judged metrics by epoch."""

from __future__ import annotations

from pathlib import Path

from src.training.callbacks import Epoch

COLORS = {"hr@10": "C0", "ndcg@10": "C1", "rmse": "C2"}


def draw_curves(file: Path, title: str, epochs: list[Epoch], best: int, part: str) -> None:
    """Writes a PNG: training loss, RMSE of `part`, and its HR@10 and NDCG@10, as far as there."""
    # The object interface needs no display and leaves pyplot's global state alone
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    judged = {"val": "validation", "test": "test"}[part]
    panels = [
        ("training loss", ["train/loss"]),
        (f"{judged} RMSE", [f"{part}/rmse"]),
        (judged, [f"{part}/hr@10", f"{part}/ndcg@10"]),
    ]
    panels = [(label, names) for label, names in panels if names[0] in epochs[0]]
    numbers = [int(epoch["epoch"]) + 1 for epoch in epochs]
    figure = Figure(figsize=(4.5 * len(panels), 3.6), layout="constrained")
    for axes, (label, names) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for name in names:
            values = [epoch[name] for epoch in epochs]
            metric = name.split("/")[1]
            color = COLORS.get(metric, "0.3")
            axes.plot(numbers, values, ".-", color=color, label=metric.upper())
            if metric in COLORS:
                at_best = values[numbers.index(best + 1)]
                axes.annotate(
                    f"{at_best:.4f}",
                    (best + 1, at_best),
                    xytext=(-4, -14),
                    textcoords="offset points",
                    ha="right",
                    fontsize="small",
                    color=color,
                )
        axes.set_ylabel(label)
        if names[0] != "train/loss":
            axes.axvline(best + 1, color="0.7", ls="--", lw=1, zorder=0, label="selected epoch")
        if len(names) > 1:
            axes.set_ylim(bottom=0)
            axes.legend(loc="lower right", fontsize="small")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(file, dpi=120)

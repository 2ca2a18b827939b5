"""The pictures of docs/baselines.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.baselines.tables import ESTIMATES
from src.models.recommender import KNOWLEDGE
from src.reporting.pictures.canvas import make_figure, save_figure, style_axes
from src.reporting.pictures.points import TradePoint, draw_tradeoff, find_front

MARKERS: dict[str, str] = dict(zip(KNOWLEDGE, "osD", strict=True))


FAR_BELOW = ("random", "itempop")
"""Models that would press all others together."""
SIZE = (7.5, 5.5)


def draw_speed(runs: pd.DataFrame, file: Path) -> None:
    """Write NDCG@10 against the seconds that fitting takes, a point a model but those far below."""
    points = [
        TradePoint(
            name=str(name),
            series=str(group["knows"].iloc[0]),
            seconds=group["seconds"].median(),
            quality=group["test/ndcg@10"].mean(),
            sd=None if len(group) == 1 else group["test/ndcg@10"].std(),
        )
        for name, group in runs.groupby("model")
    ]
    points = sorted(
        (point for point in points if point.name not in FAR_BELOW),
        key=lambda point: list(MARKERS).index(point.series),
    )
    names = {point.name for point in points}
    best = find_front(points, lower_is_better=False)
    draw_tradeoff(file, points, names, "NDCG@10 on test", best, MARKERS, SIZE)


def draw_estimates(runs: pd.DataFrame, file: Path) -> None:
    """Write how near each estimate from 99 candidates comes to ranking the whole catalogue."""
    means = runs.groupby("model").mean(numeric_only=True).sort_values("test/full/ndcg@10")
    figure = make_figure(11, 0.32 * len(means) + 1.8)
    panels = figure.subplots(1, 2, sharey=True)
    looks = {
        "sampled": ("#e45756", "o"),
        "unbiased rank": ("#f2a154", "s"),
        "bias-variance": ("#4c78a8", "D"),
        "whole catalogue": ("#222222", "|"),
    }
    for axes, metric in zip(panels, ("hr@10", "ndcg@10"), strict=True):
        style_axes(axes)
        for label, prefix in ESTIMATES.items():
            color, marker = looks[label]
            size = 200 if label == "whole catalogue" else 30
            values = means[f"{prefix}{metric}"]
            axes.scatter(values, range(len(means)), size, color=color, marker=marker, label=label)
        axes.set(title=metric.upper(), xlabel="on test")
    panels[0].set_yticks(range(len(means)), means.index)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("Ranking all unseen items, estimated from 99 sampled ones")
    save_figure(figure, file)

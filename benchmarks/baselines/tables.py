"""The tables of docs/baselines.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.baselines.rows import RELEASED
from src.evaluation.significance import compare, holm
from src.papers import published

BEST, REFERENCE = 3, "ials"
"""How many of the best models are compared with which."""


class Published(NamedTuple):
    """HR@10 and NDCG@10 on the same split and candidates, and whose they are."""

    hr: float
    ndcg: float
    source: str


def _collect_published() -> dict[str, Published]:
    he, best = published.HE + " *", "neumf-pretrained"
    return {
        **{
            str(key[0]): Published(*scores, published.DACREMA)
            for key, scores in published.DACREMA_2021[RELEASED].items()
        },
        "itempop": Published(*published.FIGURE_4[RELEASED]["itempop", 0], he),
        "gmf": Published(*published.FIGURE_4[RELEASED]["gmf", 32], he),
        "mlp": Published(*published.TABLES_3_4[RELEASED][4, 64], he),
        "neumf": Published(*published.TABLE_2[RELEASED][best, 64], he),
        "mf": Published(*published.RENDLE_2020[RELEASED][("mf",)], published.RENDLE),
        "ials": Published(*published.IALS_TUNED, published.IRSPACK),
    }


PUBLISHED = _collect_published()
COLUMNS = {
    "val/ndcg@10": "validation NDCG@10",
    "test/hr@10": "HR@10",
    "test/ndcg@10": "NDCG@10",
    "test/full/recall@10": "recall@10, all",
    "test/full/ndcg@10": "NDCG@10, all",
    "test/full/coverage@10": "coverage@10",
}
SECONDS = {"seconds": "fit, s", "in all": "in all, s", "test/full/seconds": "score all, s"}
ESTIMATES = {
    "sampled": "test/",
    "unbiased rank": "test/unbiased-rank/",
    "bias-variance": "test/bias-variance/",
    "whole catalogue": "test/full/",
}
"""Estimates of metrics among all items, and what their metrics begin with."""


def format_table(runs: pd.DataFrame, known: Mapping[str, Published]) -> list[str]:
    """Return Markdown, worst first: means over seeds, with their sd where there are several.

    known: published numbers by model, for a column of their own if there are any.
    """
    groups = sorted(runs.groupby("model"), key=lambda group: group[1]["test/ndcg@10"].mean())
    headings = ["model", "knows", *(["published"] if known else []), *COLUMNS.values()]
    headings += [*SECONDS.values(), "seeds"]
    lines = [_about(runs), "", f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for name, group in groups:
        cells = [f"`{name}`", str(group["knows"].iloc[0])]
        if known:
            one = known.get(str(name))
            cells.append(f"{_number(one.hr)} / {_number(one.ndcg)} ({one.source})" if one else "")
        cells += [_spread(group[column]) for column in COLUMNS]
        cells += [f"{group[column].median():.1f}" for column in SECONDS]
        lines.append(f"| {' | '.join([*cells, str(len(group))])} |")
    return lines


def format_significance(runs: pd.DataFrame) -> list[str]:
    """Return Markdown: the best models against the reference, user by user, over their seeds."""
    means = runs.groupby("model")["test/ndcg@10"].mean().sort_values(ascending=False)
    users = {name: np.mean(list(group["users"]), axis=0) for name, group in runs.groupby("model")}
    if REFERENCE not in users:
        return [f"`{REFERENCE}` has no runs here."]
    best = [str(name) for name in means.index if name != REFERENCE][:BEST]
    found = pd.concat([compare({name: users[name], REFERENCE: users[REFERENCE]}) for name in best])
    lines = [
        f"| model | NDCG@10 more than `{REFERENCE}` | 95 % interval | p, bootstrap | p, Wilcoxon |",
        "|---|---|---|---|---|",
    ]
    adjusted = [holm(found[f"{test}_p"].to_numpy()) for test in ("bootstrap", "wilcoxon")]
    for row, bootstrap, wilcoxon in zip(found.itertuples(), *adjusted, strict=True):
        interval = f"{row.low:+.4f} to {row.high:+.4f}"
        lines.append(
            f"| `{row.a}` | {row.difference:+.4f} | {interval} | {bootstrap:.2g} | {wilcoxon:.2g} |"
        )
    return lines


def format_errors(runs: pd.DataFrame) -> list[str]:
    """Return Markdown: mean absolute distance from the whole catalogue's value, over models."""
    means = runs.groupby("model").mean(numeric_only=True)
    lines = ["| | HR@10 | NDCG@10 | models nearer than sampled |", "|---|---|---|---|"]
    raw = (means["test/ndcg@10"] - means["test/full/ndcg@10"]).abs()
    for label, prefix in list(ESTIMATES.items())[:-1]:
        off = {
            metric: (means[f"{prefix}{metric}"] - means[f"test/full/{metric}"]).abs()
            for metric in ("hr@10", "ndcg@10")
        }
        nearer = "" if prefix == "test/" else f"{(off['ndcg@10'] < raw).sum()} of {len(means)}"
        cells = [label, f"{off['hr@10'].mean():.4f}", f"{off['ndcg@10'].mean():.4f}", nearer]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _about(runs: pd.DataFrame) -> str:
    """Say on what machine the runs were made, at which commits."""
    machines = "; ".join(dict.fromkeys(runs["machine"]))
    commits = ", ".join(dict.fromkeys(runs["commit"]))
    return f"{machines}. Commit{'s' if ',' in commits else ''} {commits}."


def _number(value: float) -> str:
    return f"{value:.4f}".lstrip("0")


def _spread(values: pd.Series[float]) -> str:
    mean = _number(values.mean())
    return mean if len(values) == 1 else f"{mean} ± {_number(values.std())}"

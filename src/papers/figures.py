"""The panels of the figures, from the rows and from what the runs left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from src.papers.exhibits import DATA_LABELS, LABELS
from src.papers.published import Key, Scores
from src.papers.reproduction import METRICS, Block, Cell, Metric, Row, Store
from src.reporting.pictures.panels import Curve, Panel

COLORS = {
    "gmf": "#4c78a8",
    "mlp": "#f58518",
    "neumf": "#b279a2",
    "neumf-pretrained": "#e45756",
    "mf-bpr": "#54a24b",
    "ials": "#72b7b2",
    "itemknn": "#9d755d",
    "itempop": "#8c8c8c",
}
PROTOCOL_LABELS = {
    "leave-one-out": "epoch chosen on validation",
    "ncf2017": "epoch chosen on test",
}
LONGEST_LIST = 10

Panels = list[list[Panel]]


def panels_of(block: Block, store: Store) -> Panels | None:
    """The rows of panels of the block's figure; None if it has none or no run is finished."""
    make = FIGURES.get(block.thing.name)
    protocols = [p for p in block.protocols if any(_there(row, p) for row in block.rows)]
    if make is None or not protocols:
        return None
    return [make(block, protocol, store) for protocol in protocols]


def title_of(block: Block) -> str:
    """What the figure's picture is headed."""
    return f"{block.thing.title}\n{DATA_LABELS.get(block.data, block.data)}"


def _there(row: Row, protocol: str) -> bool:
    return protocol in row.cells and bool(row.cells[protocol].records)


def _by_setting(xlabel: str, block: Block, protocol: str, _: Store) -> list[Panel]:
    """HR@10 and NDCG@10 by the second part of the rows' names; levels for what has none."""
    systems = list(dict.fromkeys(str(row.key[0]) for row in block.rows))
    # the published curves in full, also where only some of their points are made again
    keys = [key for key in _published(block) if key[0] in systems] + [r.key for r in block.rows]
    ticks = sorted({int(key[1]) for key in keys if key[1]})
    return [
        Panel(
            PROTOCOL_LABELS[protocol],
            xlabel,
            label,
            [
                curve
                for system in systems
                # far below the others, it would flatten them; figure 5 and the tables have it
                if system != "itempop"
                for curve in _curves_of(block, system, protocol, metric)
            ],
            ticks,
        )
        for metric, label in METRICS.items()
    ]


def _curves_of(block: Block, system: str, protocol: str, metric: Metric) -> list[Curve]:
    rows = [row for row in block.rows if row.key[0] == system]
    label, color = LABELS.get(system, system), COLORS.get(system, "0.2")
    curves = []
    known = [
        (key[1], scores.of(metric)) for key, scores in _published(block).items() if key[0] == system
    ]
    if known:
        curves.append(Curve(label, color, *_points(known), published=True))
    ours = [row for row in rows if _there(row, protocol)]
    if ours:
        measured = [row.cells[protocol].measured[metric] for row in ours]
        x, y = _points([(row.key[1], m.mean) for row, m in zip(ours, measured, strict=True)])
        curves.append(Curve(label, color, x, y, spread=[m.spread or 0.0 for m in measured]))
    return curves


def _published(block: Block) -> Mapping[Key, Scores]:
    return block.thing.published.get(block.data, {})


def _points(pairs: Sequence[tuple[str | int, float]]) -> tuple[list[float], list[float]]:
    """X and y; no x for what has no setting."""
    return [float(x) for x, _ in pairs if x], [y for _, y in pairs]


def _by_cutoff(block: Block, protocol: str, store: Store) -> list[Panel]:
    """Figure 5: from the rank of every target."""
    curves: Mapping[Metric, list[Curve]] = {metric: [] for metric in METRICS}
    for row in block.rows:
        system = str(row.key[0])
        label, color = LABELS.get(system, system), COLORS.get(system, "0.2")
        found = [cutoffs_of(ranks) for ranks in _tables(row, protocol, store, "ranks.parquet")]
        for metric, mine in curves.items():
            published = row.published_of(metric)
            if published is not None:
                mine.append(Curve(label, color, [LONGEST_LIST], [published], published=True))
            if found:
                mean = np.mean([one[metric] for one in found], axis=0)
                ks = list(range(1, LONGEST_LIST + 1))
                mine.append(Curve(label, color, ks, mean.tolist()))
    return [
        Panel(PROTOCOL_LABELS[protocol], "K", label.replace("10", "K"), curves[metric])
        for metric, label in METRICS.items()
    ]


def cutoffs_of(ranks: pd.DataFrame) -> dict[Metric, list[float]]:
    """HR@K and NDCG@K for K from 1 to 10, of one target a user."""
    rank = ranks["rank"].to_numpy()
    gain = 1 / np.log2(rank + 1)
    hits = [rank <= k for k in range(1, LONGEST_LIST + 1)]
    return {
        "hr@10": [float(hit.mean()) for hit in hits],
        "ndcg@10": [float((gain * hit).mean()) for hit in hits],
    }


def _by_epoch(block: Block, protocol: str, store: Store) -> list[Panel]:
    """Figure 6: the mean over seeds, as far as all of them went."""
    part = "test" if protocol == "ncf2017" else "val"
    wanted = {"train/loss": "training loss"}
    wanted |= {f"{part}/{metric}": label for metric, label in METRICS.items()}
    curves: dict[str, list[Curve]] = {column: [] for column in wanted}
    for row in block.rows:
        system = str(row.key[0])
        label, color = LABELS.get(system, system), COLORS.get(system, "0.2")
        histories = _tables(row, protocol, store, "history.csv")
        shortest = min((len(history) for history in histories), default=0)
        for column, mine in curves.items():
            metric = next((m for m in METRICS if column == f"test/{m}"), None)
            published = row.published_of(metric) if metric else None
            if published is not None:
                mine.append(Curve(label, color, [], [published], published=True))
            if shortest:
                y = np.mean([history[column][:shortest] for history in histories], axis=0)
                mine.append(Curve(label, color, list(range(1, shortest + 1)), y.tolist()))
    judged = {"val": "validation", "test": "test"}[part]
    return [
        Panel(
            PROTOCOL_LABELS[protocol],
            "epoch",
            label if column == "train/loss" else f"{label} on {judged}",
            curves[column],
        )
        for column, label in wanted.items()
    ]


def _tables(row: Row, protocol: str, store: Store, file: str) -> list[pd.DataFrame]:
    cell = row.cells.get(protocol, Cell(0, [], {}))
    tables = (store.table(record, file) for record in cell.records)
    return [table for table in tables if table is not None]


FIGURES: Mapping[str, Callable[[Block, str, Store], list[Panel]]] = {
    "figure4": partial(_by_setting, "predictive factors"),
    "figure5": _by_cutoff,
    "figure6": _by_epoch,
    "figure7": partial(_by_setting, "negatives to a positive"),
}

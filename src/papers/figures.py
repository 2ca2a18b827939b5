"""The panels of the figures, from the rows and from what the runs left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from src.papers.exhibits import (
    DATA_LABELS,
    EXHIBITS,
    NCF_2017,
    PAPER,
    PROTOCOL_LABELS,
    SYSTEM_LABELS,
)
from src.papers.published import RowKey, Scores
from src.papers.reproduction import (
    METRIC_LABELS,
    NO_RUNS,
    ExhibitResult,
    ExhibitRow,
    PaperMetric,
    RecordedRuns,
)
from src.reporting.palette import model_colors
from src.reporting.pictures.panels import Curve, Panel

LONGEST_LIST = 10


def make_panels(result: ExhibitResult, recorded: RecordedRuns) -> list[list[Panel]] | None:
    """Return the rows of panels of the result's figure, one for each protocol.

    None if it has no figure, or if no run is finished.
    """
    make = FIGURES.get(result.exhibit.name)
    protocols = [
        protocol
        for protocol in result.protocols
        if any(_has_finished(row, protocol) for row in result.rows)
    ]
    if make is None or not protocols:
        return None
    return [make(result, protocol, recorded) for protocol in protocols]


def format_title(result: ExhibitResult) -> str:
    """Return the heading of the result's picture."""
    return f"{result.exhibit.title}\n{DATA_LABELS.get(result.data, result.data)}"


def _has_finished(row: ExhibitRow, protocol: str) -> bool:
    """Tell whether a run of the row is finished under the protocol."""
    return bool(row.runs.get(protocol, NO_RUNS).records)


def _get_look(system: str) -> tuple[str, str]:
    """Return the system's label and colour, the same in every figure."""
    return SYSTEM_LABELS.get(system, system), COLORS.get(system, "0.2")


def _make_setting_panels(
    xlabel: str, result: ExhibitResult, protocol: str, _: RecordedRuns
) -> list[Panel]:
    """Return HR@10 and NDCG@10 by the second part of the rows' names; levels for what has none."""
    systems = list(dict.fromkeys(str(row.key[0]) for row in result.rows))
    # the published curves in full, also where only some of their points are made again
    published = [key for key in _list_published(result) if key[0] in systems]
    keys = [*published, *(row.key for row in result.rows)]
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
                for curve in _make_curves(result, system, protocol, metric)
            ],
            ticks,
        )
        for metric, label in METRIC_LABELS.items()
    ]


def _make_curves(
    result: ExhibitResult, system: str, protocol: str, metric: PaperMetric
) -> list[Curve]:
    """Return the system's published curve and ours, those of them that there are."""
    label, color = _get_look(system)
    curves = []
    known = [
        (key[1], scores.get(metric))
        for key, scores in _list_published(result).items()
        if key[0] == system
    ]
    if known:
        curves.append(Curve(label, color, *_split_points(known), published=True))
    rows = [row for row in result.rows if row.key[0] == system]
    # rows with a published number stand first
    ours = sorted(
        (row for row in rows if _has_finished(row, protocol)), key=lambda row: int(row.key[1])
    )
    if ours:
        measured = [row.runs[protocol].measured[metric] for row in ours]
        x, y = _split_points([(row.key[1], m.mean) for row, m in zip(ours, measured, strict=True)])
        curves.append(Curve(label, color, x, y, spread=[m.spread or 0.0 for m in measured]))
    return curves


def _list_published(result: ExhibitResult) -> Mapping[RowKey, Scores]:
    """Return all published rows of the exhibit on the result's data."""
    return result.exhibit.published.get(result.data, {})


def _split_points(pairs: Sequence[tuple[str | int, float]]) -> tuple[list[float], list[float]]:
    """Return x and y of the points; no x for what has no setting."""
    return [float(x) for x, _ in pairs if x], [y for _, y in pairs]


def _make_cutoff_panels(
    result: ExhibitResult, protocol: str, recorded: RecordedRuns
) -> list[Panel]:
    """Return HR@K and NDCG@K by K, from the rank of every target: figure 5."""
    curves: Mapping[PaperMetric, list[Curve]] = {metric: [] for metric in METRIC_LABELS}
    for row in result.rows:
        label, color = _get_look(str(row.key[0]))
        tables = _read_tables(row, protocol, recorded, "ranks.parquet")
        found = [measure_cutoffs(ranks) for ranks in tables]
        for metric, mine in curves.items():
            published = row.get_published(metric)
            if published is not None:
                mine.append(Curve(label, color, [LONGEST_LIST], [published], published=True))
            if found:
                mean = np.mean([one[metric] for one in found], axis=0)
                ks = list(range(1, LONGEST_LIST + 1))
                mine.append(Curve(label, color, ks, mean.tolist()))
    return [
        Panel(PROTOCOL_LABELS[protocol], "K", label.replace("10", "K"), curves[metric])
        for metric, label in METRIC_LABELS.items()
    ]


def measure_cutoffs(ranks: pd.DataFrame) -> dict[PaperMetric, list[float]]:
    """Return HR@K and NDCG@K for K from 1 to 10, of one target a user."""
    rank = ranks["rank"].to_numpy()
    gain = 1 / np.log2(rank + 1)
    hits = [rank <= k for k in range(1, LONGEST_LIST + 1)]
    return {
        "hr@10": [float(hit.mean()) for hit in hits],
        "ndcg@10": [float((gain * hit).mean()) for hit in hits],
    }


def _make_epoch_panels(result: ExhibitResult, protocol: str, recorded: RecordedRuns) -> list[Panel]:
    """Return loss, HR@10 and NDCG@10 by epoch: figure 6.

    Each seed's curve is thin; thick is their mean, as far as all of them went.
    """
    part = "test" if protocol == NCF_2017 else "val"
    wanted = {"train/loss": "training loss"}
    wanted |= {f"{part}/{metric}": label for metric, label in METRIC_LABELS.items()}
    curves: dict[str, list[Curve]] = {column: [] for column in wanted}
    for row in result.rows:
        label, color = _get_look(str(row.key[0]))
        histories = _read_tables(row, protocol, recorded, "history.csv")
        shortest = min((len(history) for history in histories), default=0)
        for column, mine in curves.items():
            metric = next((m for m in METRIC_LABELS if column == f"test/{m}"), None)
            published = row.get_published(metric) if metric else None
            if published is not None:
                mine.append(Curve(label, color, [], [published], published=True))
            if len(histories) > 1:
                seeds = [history[column].tolist() for history in histories]
                epochs = [list(range(1, len(y) + 1)) for y in seeds]
                pairs = zip(epochs, seeds, strict=True)
                mine.extend(Curve(label, color, x, y, thin=True) for x, y in pairs)
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


def _read_tables(
    row: ExhibitRow, protocol: str, recorded: RecordedRuns, file: str
) -> list[pd.DataFrame]:
    """Read an artifact of each finished run of the row that has it."""
    records = row.runs.get(protocol, NO_RUNS).records
    tables = (recorded.read_table(record, file) for record in records)
    return [table for table in tables if table is not None]


FIGURES: Mapping[str, Callable[[ExhibitResult, str, RecordedRuns], list[Panel]]] = {
    "figure4": partial(_make_setting_panels, "predictive factors"),
    "figure5": _make_cutoff_panels,
    "figure6": _make_epoch_panels,
    "rendle2020-factors": partial(_make_setting_panels, "factors"),
    "figure7": partial(_make_setting_panels, "negatives to a positive"),
}
# of every system that can be drawn, so that each keeps its own in all figures
COLORS = model_colors(
    str(key[0])
    for name in FIGURES
    if name in PAPER
    for rows in EXHIBITS[name].published.values()
    for key in rows
)
COLORS["mf"] = COLORS["mf-bpr"]  # the same model by another loss, never in one figure with it

"""What seeds make of numbers, from all systems that have several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from src.papers.noise import pool_spread
from src.papers.reproduction import METRIC_LABELS, ExhibitResult, PaperMetric

Spreads = Mapping[tuple[str, str, PaperMetric], float]
"""Standard deviations by data set, protocol and metric."""


def pool_spreads(results: Sequence[ExhibitResult]) -> Spreads:
    """Return the standard deviation over seeds, pooled over systems, of every metric."""
    runs = [
        ((result.data, protocol), seeds)
        for result in results
        for row in result.rows
        for protocol, seeds in row.runs.items()
        if seeds.chance and seeds.records
    ]
    # runs that stand in two places count once
    once = {seeds.run_ids: (kind, seeds.measured) for kind, seeds in runs}.values()
    return {
        (*kind, metric): pool_spread([m[metric].values for other, m in once if other == kind])
        for kind in dict(runs)
        for metric in METRIC_LABELS
    }


def share_spreads(results: Sequence[ExhibitResult], spreads: Spreads) -> list[ExhibitResult]:
    """Give every number the deviation of its kind, but for models without chance."""
    return [_share_by_row(result, spreads) for result in results]


def _share_by_row(result: ExhibitResult, spreads: Spreads) -> ExhibitResult:
    rows = []
    for row in result.rows:
        runs = {
            protocol: replace(
                seeds,
                measured={
                    metric: replace(value, between=spreads[result.data, protocol, metric])
                    for metric, value in seeds.measured.items()
                },
            )
            for protocol, seeds in row.runs.items()
            if seeds.chance
        }
        rows.append(replace(row, runs=row.runs | runs))
    return replace(result, rows=rows)

"""The small table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from src.evaluation.catalogue import PARTS, label_of
from src.reporting.wording import candidates, describe_selection
from src.run.disk_use import MEGABYTE, measure_folders
from src.run.energy import METRIC as ENERGY
from src.run.options import Options
from src.run.validation import ERROR

SHOWN = ("hr@10", "ndcg@10", "mrr@10", "recall@10", "coverage@10", "rmse", "mae")


def print_results(
    options: Options,
    metrics: Mapping[str, float],
    folder: Path,
    location: str | None,
    *,
    selected: bool = True,
    artifacts: Path | None = None,
) -> None:
    """Print what was measured under which protocol, where everything lies and how much that is.

    `selected`: whether there were epochs to choose from. `artifacts`: the record's files, where
    they lie on this machine.
    """
    protocol = options.protocol
    Console(soft_wrap=True, highlight=False).print(_make_table(options.title, metrics))
    among = candidates(options.data.options.candidates)
    selection = f"; {describe_selection(protocol.monitor, protocol.refit)}" if selected else ""
    print(f"protocol {protocol.name}: ranked among {among}{selection}")
    error = metrics.get(f"{protocol.monitor}{ERROR}")
    if error is not None:
        label = label_of(protocol.monitor)
        print(f"validation is over all draws of candidates; standard error of {label} {error:.4f}")
    if "fit/epochs" in metrics:
        print(_describe_fit(metrics))
    print(f"folder   {folder}")
    size = measure_folders([folder] if artifacts is None else [folder, artifacts])
    print(f"disk     {size / MEGABYTE:.1f} MB")
    if location:
        print(f"tracking {location}")


def _make_table(title: str, metrics: Mapping[str, float]) -> Table:
    rows = {part: label for part, label in PARTS.items() if f"{part}/hr@10" in metrics}
    columns = _choose_columns(rows, metrics)
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in columns:
        table.add_column(label_of(name).upper(), justify="right")
    for part, label in rows.items():
        values = [metrics.get(f"{part}/{name}") for name in columns]
        table.add_row(label, *["" if value is None else f"{value:.4f}" for value in values])
    return table


def _choose_columns(parts: Mapping[str, str], metrics: Mapping[str, float]) -> Sequence[str]:
    """Return the metrics to show, of those that any part has."""
    # recall is HR where there is one target to a user; MRR gives way to errors for lack of room
    left_out = {
        "recall@10": metrics.get("test/recall@10") == metrics.get("test/hr@10"),
        "mrr@10": "test/rmse" in metrics,
    }
    present = [name for name in SHOWN if any(f"{part}/{name}" in metrics for part in parts)]
    return [name for name in present if not left_out.get(name)]


def _describe_fit(metrics: Mapping[str, float]) -> str:
    words = [f"{metrics['fit/seconds']:.1f} s"]
    if metrics["fit/epochs"] > 1:
        words.insert(0, f"best epoch {metrics['fit/best_epoch']} of {metrics['fit/epochs']}")
    if "fit/examples_per_second" in metrics:
        words.append(f"{metrics['fit/examples_per_second']:,.0f} examples/s")
    if "refit/seconds" in metrics:
        words.append(f"and {metrics['refit/seconds']:.1f} s again")
    if ENERGY in metrics:
        words.append(f"{metrics[ENERGY]:.3g} Wh")
    return "fitted in " * (metrics["fit/epochs"] == 1) + ", ".join(words)

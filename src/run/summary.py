"""The small table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from src.reporting.wording import candidates

SHOWN = ("hr@10", "ndcg@10", "mrr@10", "recall@10", "coverage@10", "rmse", "mae")
ROWS = {"val": "validation", "test": "test", "test/full": "test, all unseen"}


def print_results(
    options: Mapping[str, Any], metrics: Mapping[str, float], folder: Path, location: str | None
) -> None:
    """Prints what was measured under which protocol, and where everything lies."""
    data, protocol = options["data"], options["protocol"]
    rows = {part: label for part, label in ROWS.items() if f"{part}/hr@10" in metrics}
    # recall is HR where there is one target to a user
    columns = [
        name
        for name in SHOWN
        if any(f"{part}/{name}" in metrics for part in rows)
        and not (name == "recall@10" and _same(metrics, "recall@10", "hr@10"))
        and not (name == "mrr@10" and "test/rmse" in metrics)  # for want of room
    ]
    table = Table(title=f"{options['model']['name']} on {data['name']}", title_justify="left")
    table.add_column("")
    for name in columns:
        table.add_column(name.upper(), justify="right")
    for part, label in rows.items():
        values = [metrics.get(f"{part}/{name}") for name in columns]
        table.add_row(label, *["" if value is None else f"{value:.4f}" for value in values])
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    among = candidates(data["candidates"])
    print(f"protocol {protocol['name']}: ranked among {among}; {selection(protocol)}")
    if "fit/epochs" in metrics:
        print(_fit(metrics))
    print(f"folder   {folder}")
    if location:
        print(f"tracking {location}; make dashboard shows it")


def _same(metrics: Mapping[str, float], one: str, other: str) -> bool:
    return metrics[f"test/{one}"] == metrics[f"test/{other}"]


def _fit(metrics: Mapping[str, float]) -> str:
    words = [f"{metrics['fit/seconds']:.1f} s"]
    if metrics["fit/epochs"] > 1:
        words.insert(0, f"best epoch {metrics['fit/best_epoch']} of {metrics['fit/epochs']}")
    if "fit/examples_per_second" in metrics:
        words.append(f"{metrics['fit/examples_per_second']:,.0f} examples/s")
    if "refit/seconds" in metrics:
        words.append(f"and {metrics['refit/seconds']:.1f} s again")
    return "fitted in " * (metrics["fit/epochs"] == 1) + ", ".join(words)


def selection(protocol: Mapping[str, Any]) -> str:
    """How the protocol chooses the epoch, in words."""
    part, metric = protocol["monitor"].split("/")
    where = {"val": "validation", "test": "TEST (optimistic)"}[part]
    # runs before there was a choice had none
    again = ", then trained again with it" if protocol.get("refit", False) else ""
    return f"epoch chosen by {metric.upper()} on {where}{again}"

"""The small table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SHOWN = ("hr@10", "ndcg@10", "mrr@10")


def print_results(
    options: Mapping[str, Any], metrics: Mapping[str, float], folder: Path, location: str | None
) -> None:
    """Prints what was measured under which protocol, and where everything lies."""
    data, protocol = options["data"], options["protocol"]
    candidates = {"all": "the whole catalogue", "released": "the released candidates"}.get(
        data["candidates"], f"{data['candidates']} candidates"
    )
    table = Table(title=f"{options['model']['name']} on {data['name']}", title_justify="left")
    table.add_column("")
    for name in SHOWN:
        table.add_column(name.upper(), justify="right")
    for part, label in (("val", "validation"), ("test", "test")):
        if f"{part}/{SHOWN[0]}" in metrics:
            table.add_row(label, *[f"{metrics[f'{part}/{name}']:.4f}" for name in SHOWN])
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    print(f"protocol {protocol['name']}: ranked among {candidates}; {selection(protocol)}")
    if "fit/epochs" in metrics:
        print(
            f"best epoch {metrics['fit/best_epoch']} of {metrics['fit/epochs']}, "
            f"{metrics['fit/seconds']:.1f} s, "
            f"{metrics['fit/examples_per_second']:,.0f} examples/s"
        )
    print(f"folder   {folder}")
    if location:
        print(f"tracking {location}; make dashboard shows it")


def selection(protocol: Mapping[str, Any]) -> str:
    """How the protocol chooses the epoch, in words."""
    part, metric = protocol["monitor"].split("/")
    where = {"val": "validation", "test": "TEST (optimistic)"}[part]
    return f"epoch chosen by {metric.upper()} on {where}"

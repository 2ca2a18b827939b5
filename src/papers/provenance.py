"""Where results come from: settings, seeds, commits and dates, from the runs' own records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from src.papers.reproduction import Block
from src.reporting.wording import counted, listed
from src.tracking.reading import Record

SETTINGS = {
    "data.batch_size": "batch size",
    "optimizer.lr": "learning rate",
    "data.negatives": "negatives",
    "trainer.max_epochs": "epochs at most",
    "trainer.patience": "patience",
}


class Fact(NamedTuple):
    name: str
    text: str


def facts_of(blocks: Sequence[Block], request: str) -> list[Fact]:
    """Of all finished runs of these blocks; only what is asked for where there is none."""
    records = list({r.run_id: r for block in blocks for r in block.records}.values())
    asked = [Fact("asked for", request)]
    if not records:
        return asked
    days = sorted({_day(record) for record in records})
    commits = dict.fromkeys(r.tags.get("git_commit", "unknown")[:7] for r in records)
    training = sum(_training_seconds(record) for record in records)
    machines = dict.fromkeys(r.tags["machine"] for r in records if "machine" in r.tags)
    seeds = sorted({int(record.params["seed"]) for record in records})
    return [
        *asked,
        Fact("runs", f"{counted(len(records), 'run')}, {training / 3600:.1f} h of training"),
        Fact("made", " to ".join(dict.fromkeys([days[0], days[-1]]))),
        Fact("commit", listed(commits)),
        *([Fact("machine", listed(machines))] if machines else []),
        Fact("seeds", listed(seeds)),
        *(
            Fact(f"settings, {protocol}", _settings(records, protocol))
            for protocol in dict.fromkeys(r.params["protocol.name"] for r in records)
        ),
    ]


def _settings(records: Iterable[Record], protocol: str) -> str:
    """Of what is trained with Adam: not of what is fitted otherwise, nor of fusions."""
    trained = [
        record.params
        for record in records
        if record.params["protocol.name"] == protocol
        and record.params.get("optimizer._target_", "").endswith("Adam")
    ]
    words = []
    for option, label in SETTINGS.items():
        values = dict.fromkeys(params[option] for params in trained if option in params)
        if values:
            ordered = sorted(values, key=_numeric)
            words.append(f"{label} {listed(ordered)}".replace("patience None", "no early stopping"))
    return "; ".join(words) or "nothing trained with Adam"


def _numeric(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return float("inf")


def _training_seconds(record: Record) -> float:
    return record.metrics.get("fit/seconds", 0.0) + record.metrics.get("refit/seconds", 0.0)


def _day(record: Record) -> str:
    return datetime.fromtimestamp(record.started / 1000, UTC).date().isoformat()

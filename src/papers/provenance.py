"""Where results come from: settings, seeds, commits and dates, from the runs' own records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from src.papers.reproduction import METRIC_LABELS, ExhibitResult
from src.papers.spread import Spreads
from src.reporting.comparison.header import Fact
from src.reporting.wording import counted, decimal, listed
from src.tracking.reading import Record

SETTINGS = {
    "data.batch_size": "batch size",
    "optimizer.lr": "learning rate",
    "data.negatives": "negatives",
    "trainer.max_epochs": "epochs at most",
    "trainer.patience": "patience",
}


def list_facts(results: Sequence[ExhibitResult], request: str, spreads: Spreads) -> list[Fact]:
    """Return the facts about all finished runs; only what was asked for where there is none."""
    records = _list_records(results)
    # tuned models have settings of their own each, which their experiments say
    alike = _list_records([one for one in results if not one.exhibit.tuned]) or records
    asked_for = [Fact("asked for", request)]
    if not records:
        return asked_for
    days = sorted({_format_day(record) for record in records})
    commits = dict.fromkeys(r.tags.get("git_commit", "unknown")[:7] for r in records)
    training = sum(_sum_training_seconds(record) for record in records)
    machines = dict.fromkeys(r.tags["machine"] for r in records if "machine" in r.tags)
    seeds = sorted({int(record.params["seed"]) for record in records})
    known = dict.fromkeys(r.tags["knows"] for r in records if "knows" in r.tags)
    return [
        *asked_for,
        Fact("runs", f"{counted(len(records), 'run')}, {training / 3600:.1f} h of training"),
        Fact("made", " to ".join(dict.fromkeys([days[0], days[-1]]))),
        Fact("commit", listed(commits)),
        *([Fact("machine", listed(machines))] if machines else []),
        Fact("seeds", listed(seeds)),
        *([Fact("models know", listed(known))] if known else []),
        *(
            Fact(f"settings, {protocol}", _list_settings(alike, protocol))
            for protocol in dict.fromkeys(r.params["protocol.name"] for r in alike)
        ),
        *_list_spreads(spreads),
    ]


def _list_spreads(spreads: Spreads) -> list[Fact]:
    """Return the standard deviation over seeds, pooled over systems, by data and protocol."""
    found: dict[str, list[str]] = {}
    for (data, protocol, metric), value in spreads.items():
        if value:
            name = f"standard deviation over seeds, {data}, {protocol}"
            found.setdefault(name, []).append(f"{METRIC_LABELS[metric]} {decimal(value)}")
    return [Fact(name, ", ".join(values)) for name, values in found.items()]


def _list_records(results: Sequence[ExhibitResult]) -> list[Record]:
    """Return the finished runs, each once."""
    return list({r.run_id: r for result in results for r in result.records}.values())


def _list_settings(records: Iterable[Record], protocol: str) -> str:
    """Return the settings of what is trained with Adam, not of other fits nor of fusions."""
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
            ordered = sorted(values, key=_read_number)
            words.append(f"{label} {listed(ordered)}".replace("patience None", "no early stopping"))
    return "; ".join(words) or "nothing trained with Adam"


def _read_number(value: str) -> float:
    """Return the number that a setting is, to sort by; what is none comes last."""
    try:
        return float(value)
    except ValueError:
        return float("inf")


def _sum_training_seconds(record: Record) -> float:
    """Return the seconds that the run was trained, and trained again."""
    return record.metrics.get("fit/seconds", 0.0) + record.metrics.get("refit/seconds", 0.0)


def _format_day(record: Record) -> str:
    """Return the day that the run began: "2023-11-14"."""
    return datetime.fromtimestamp(record.started / 1000, UTC).date().isoformat()

"""What the page says before it shows anything: of what, under which protocol, by which code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from src.reporting.comparison.configurations import FINGERPRINT, model_of
from src.reporting.comparison.measures import Comparison
from src.reporting.wording import candidates, counted, seed_ranges
from src.run.summary import selection
from src.tracking.reading import Record

# As many characters of a digest as tell it apart
DIGEST = 12


@dataclass(frozen=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True)
class Note:
    text: str
    wrong: bool = False
    """Whether numbers are optimistic or can't be compared."""


@dataclass(frozen=True)
class Unfinished:
    """A run that failed, was cut off or goes on."""

    name: str
    status: str
    overrides: str
    error: str


def facts(comparison: Comparison, unfinished: Sequence[Unfinished]) -> list[Fact]:
    """Name and text of each."""
    runs = _runs(comparison)
    found = []
    if runs:
        seeds = sorted({seed for one in comparison.configurations for seed in one.seeds})
        n = len(comparison.configurations)
        word = "seed" if len(seeds) == 1 else "seeds"
        of = f"{counted(len(runs), 'run')} of {counted(n, 'configuration')}"
        found = [
            Fact("Runs", f"{of}, {word} {seed_ranges(seeds)}"),
            Fact("Data", _distinct(_data(run) for run in runs)),
            Fact("Protocol", _distinct(_protocol(run) for run in runs)),
            Fact("Code", _distinct(_code(run) for run in runs)),
            Fact("Trained", _days(runs)),
        ]
    if unfinished:
        found.append(Fact("Not finished", counted(len(unfinished), "run")))
    return [*found, Fact("Page written", f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}")]


def notes(comparison: Comparison, records: Sequence[Record]) -> list[Note]:
    """What a reader has to know before reading numbers."""
    runs = _runs(comparison)
    found = []
    if any(run.params.get("protocol.monitor", "").startswith("test/") for run in runs):
        found.append(
            Note(
                "Epochs were chosen on TEST: these numbers are optimistic, and only to be compared "
                "with numbers got the same way.",
                wrong=True,
            )
        )
    for what, values in (
        ("data (by fingerprint)", {run.tags.get(FINGERPRINT) for run in runs}),
        ("protocols", {run.params.get("protocol.name") for run in runs}),
        ("candidates", {run.params.get("data.candidates") for run in runs}),
        ("selections of the epoch", {run.params.get("protocol.monitor") for run in runs}),
    ):
        if len(values) > 1:
            found.append(
                Note(
                    f"Runs with different {what} are on this page: numbers across them can't be "
                    "compared, and none is marked as best.",
                    wrong=True,
                )
            )
    finished = sum(record.status == "FINISHED" for record in records)
    if finished > len(runs):
        again = counted(finished - len(runs), "earlier run")
        found.append(Note(f"{again} with the same options and seed left out: the latest counts."))
    versions = {run.tags.get("code_version", run.tags.get("git_commit")) for run in runs}
    if len(versions) > 1:
        found.append(
            Note(f"The runs are of {len(versions)} versions of the code, which may matter.")
        )
    return found


def unfinished(records: Iterable[Record]) -> list[Unfinished]:
    """All but the finished ones, with what went wrong."""
    meaning = {"FAILED": "failed", "KILLED": "cut off", "RUNNING": "running, or cut off unnoticed"}
    return [
        Unfinished(
            name=f"{model_of(record)}, seed {record.params.get('seed', '?')}",
            status=meaning.get(record.status, record.status.lower()),
            overrides=record.tags.get("overrides", ""),
            error=record.tags.get("error", ""),
        )
        for record in records
        if record.status != "FINISHED"
    ]


def _runs(comparison: Comparison) -> list[Record]:
    return [run for one in comparison.configurations for run in one.runs]


def _distinct(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _data(run: Record) -> str:
    name = run.params.get("data.name", run.tags.get("data", "unknown"))
    fingerprint = run.tags.get(FINGERPRINT, "unknown")[:DIGEST]
    return f"{name} (fingerprint {fingerprint})"


def _protocol(run: Record) -> str:
    params = run.params
    among = candidates(params.get("data.candidates", "unknown"))
    text = f"{params.get('protocol.name', 'unknown')}: ranked among {among}"
    if "protocol.monitor" not in params:
        return text
    refit = params.get("protocol.refit") == "True"
    return f"{text}; {selection({'monitor': params['protocol.monitor'], 'refit': refit})}"


def _code(run: Record) -> str:
    commit, _, dirty = run.tags.get("git_commit", "unknown").partition("-")
    version = run.tags.get("code_version", "")
    text = f"commit {commit[:DIGEST]}{' with changes' if dirty else ''}"
    return f"version {version}, {text}" if version else text


def _days(runs: Sequence[Record]) -> str:
    starts = [datetime.fromtimestamp(run.started / 1000).astimezone() for run in runs]
    days = [f"{day:%Y-%m-%d}" for day in (min(starts), max(starts))]
    return " to ".join(dict.fromkeys(days))

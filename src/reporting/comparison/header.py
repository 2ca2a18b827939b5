"""What the page says first: the result, what was compared under which protocol, by which code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configuration_names import FINGERPRINT
from src.reporting.comparison.configurations import find_model_name
from src.reporting.wording import (
    candidates,
    counted,
    decimal,
    describe_selection,
    listed,
    seed_ranges,
    with_sd,
)
from src.tracking.reading import Record

# As many characters of a digest as tell it apart
DIGEST = 12

# Settings of training that a reader asks for, where they are none of the columns
COMMON = {
    "loss._target_": "loss",
    "optimizer._target_": "optimizer",
    "optimizer.lr": "rate",
    "data.batch_size": "batch size",
    "data.negatives": "negatives",
    "model.factors": "factors",
    "trainer.max_epochs": "epochs at most",
    "trainer.patience": "patience",
}

STATUSES = {"FAILED": "failed", "KILLED": "cut off", "RUNNING": "running, or cut off unnoticed"}


@dataclass(frozen=True)
class Fact:
    """A line of the list below the title."""

    name: str
    text: str


@dataclass(frozen=True)
class Note:
    """What a reader has to know before reading numbers."""

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


def summarize_result(comparison: Comparison) -> str:
    """Return the result in a sentence or two, "" where numbers can't be compared."""
    if not comparison.configurations or not comparison.comparable:
        return ""
    first, quality = comparison.configurations[0], comparison.quality
    mean = first.mean(quality)
    if mean is None:
        return ""
    value = with_sd(mean, first.sd(quality))
    if len(comparison.configurations) == 1:
        return f"{first.label} has a {comparison.quality_label} of {value}."
    text = f"{first.label} has the best {comparison.quality_label}: {value}."
    chosen = comparison.chosen
    if chosen is None or quality == comparison.monitor:
        return text
    if chosen is first:
        return f"{text} Validation chooses the same."
    its = chosen.mean(quality)
    which = "" if its is None else f", which has {decimal(its)}"
    return f"{text} Validation chooses {chosen.label}{which}."


def list_facts(comparison: Comparison, unfinished: Sequence[Unfinished]) -> list[Fact]:
    """Return what was compared, on which data, under which protocol, by which code and when."""
    runs = _list_runs(comparison)
    found = []
    if runs:
        seeds = sorted({seed for one in comparison.configurations for seed in one.seeds})
        n = len(comparison.configurations)
        word = "seed" if len(seeds) == 1 else "seeds"
        of = f"{counted(len(runs), 'run')} of {counted(n, 'configuration')}"
        found = [
            Fact("Runs", f"{of}, {word} {seed_ranges(seeds)}"),
            Fact("Data", _join_distinct(_describe_data(run) for run in runs)),
            Fact("Protocol", _join_distinct(_describe_protocol(run) for run in runs)),
            *([Fact("All have", common)] if (common := _describe_common(runs)) else []),
            Fact("Code", _join_distinct(_describe_code(run) for run in runs)),
            Fact("Trained", _describe_days(runs)),
        ]
    if unfinished:
        found.append(Fact("Not finished", counted(len(unfinished), "run")))
    return [*found, Fact("Page written", f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}")]


def list_notes(comparison: Comparison, records: Sequence[Record]) -> list[Note]:
    """Return what a reader has to know before reading numbers."""
    runs = _list_runs(comparison)
    found = [*_warn_of_test(runs), *_warn_of_differences(runs)]
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


def list_unfinished(records: Iterable[Record]) -> list[Unfinished]:
    """Return all runs but the finished ones, with what went wrong."""
    return [
        Unfinished(
            name=f"{find_model_name(record)}, seed {record.params.get('seed', '?')}",
            status=STATUSES.get(record.status, record.status.lower()),
            overrides=record.tags.get("overrides", ""),
            error=record.tags.get("error", ""),
        )
        for record in records
        if record.status != "FINISHED"
    ]


def _warn_of_test(runs: Sequence[Record]) -> list[Note]:
    """Return a note if any run chose its epoch on test."""
    if not any(run.params.get("protocol.monitor", "").startswith("test/") for run in runs):
        return []
    text = (
        "Epochs were chosen on TEST: these numbers are optimistic, and only to be compared "
        "with numbers got the same way."
    )
    return [Note(text, wrong=True)]


def _warn_of_differences(runs: Sequence[Record]) -> list[Note]:
    """Return a note on what differs between runs and has to be equal."""
    different = [
        what
        for what, values in (
            ("data", {run.tags.get(FINGERPRINT) for run in runs}),
            ("protocols", {run.params.get("protocol.name") for run in runs}),
            ("candidates", {run.params.get("data.candidates") for run in runs}),
            ("selections of the epoch", {run.params.get("protocol.monitor") for run in runs}),
        )
        if len(values) > 1
    ]
    if not different:
        return []
    text = (
        f"Runs with different {listed(different)} are on this page: numbers across them can't be "
        "compared, and none is marked as best."
    )
    return [Note(text, wrong=True)]


def _describe_common(runs: Sequence[Record]) -> str:
    """Return the settings of training that all runs have in common: "batch size 256"."""
    found = []
    for option, word in COMMON.items():
        values = {run.params.get(option) for run in runs}
        if len(values) == 1 and (value := values.pop()) not in (None, "None"):
            found.append(
                f"{word} {str(value).rpartition('.')[2] if '_target_' in option else value}"
            )
    return ", ".join(found)


def _list_runs(comparison: Comparison) -> list[Record]:
    """Return the runs of all configurations."""
    return [run for one in comparison.configurations for run in one.runs]


def _join_distinct(texts: Iterable[str]) -> str:
    """Join the texts, each once."""
    return "; ".join(dict.fromkeys(texts))


def _describe_data(run: Record) -> str:
    """Return the data's name and the beginning of its fingerprint."""
    name = run.params.get("data.name", run.tags.get("data", "unknown"))
    fingerprint = run.tags.get(FINGERPRINT, "unknown")[:DIGEST]
    return f"{name} (fingerprint {fingerprint})"


def _describe_protocol(run: Record) -> str:
    """Return what targets were ranked among, and how the epoch was chosen."""
    params = run.params
    among = candidates(params.get("data.candidates", "unknown"))
    text = f"{params.get('protocol.name', 'unknown')}: ranked among {among}"
    if "protocol.monitor" not in params:
        return text
    refit = params.get("protocol.refit") == "True"
    return f"{text}; {describe_selection(params['protocol.monitor'], refit)}"


def _describe_code(run: Record) -> str:
    """Return the version of the code and its commit."""
    commit, _, dirty = run.tags.get("git_commit", "unknown").partition("-")
    version = run.tags.get("code_version", "")
    text = f"commit {commit[:DIGEST]}{' with changes' if dirty else ''}"
    return f"version {version}, {text}" if version else text


def _describe_days(runs: Sequence[Record]) -> str:
    """Return the first and the last day that a run was started."""
    starts = [datetime.fromtimestamp(run.started / 1000).astimezone() for run in runs]
    days = [f"{day:%Y-%m-%d}" for day in (min(starts), max(starts))]
    return " to ".join(dict.fromkeys(days))

"""Rows of results as tables of text, for the page and for Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd

from src.papers.exhibits import PROTOCOL_LABELS, SYSTEM_LABELS
from src.papers.noise import Difference, SeedMetric, compare_means
from src.papers.reproduction import (
    METRIC_LABELS,
    NO_RUNS,
    ExhibitResult,
    ExhibitRow,
    PaperMetric,
    SeedRuns,
)
from src.reporting.wording import counted, decimal, with_sd

MARKS = {"within": "≈", "above": "▲", "below": "▼"}
WORDS = {"within": "within noise", "above": "above", "below": "below"}
LEGEND = (
    "Behind each number is its difference from the published one, "
    "≈ within noise, ▲ above or ▼ below"
)
MISSING = "missing"
# Where 0 is a number of such parts, and not their absence
COUNTED = ("layers",)
# As many of the differences that are not noise as a reader wants to hear of first
LARGEST = 10


@dataclass(frozen=True)
class TableCell:
    """One cell as it is shown."""

    text: str
    kind: str = ""
    """within, above, below or missing; empty for what is compared with nothing."""


def list_headings(result: ExhibitResult) -> list[str]:
    """Return the headings of the columns that `format_rows` fills."""
    headings = ["system" if name == "model" else name for name in result.exhibit.named_by]
    for label in METRIC_LABELS.values():
        headings.append(f"{label} published")
        headings += [f"{label}, {_label_choice(protocol)}" for protocol in result.protocols]
    return headings


def format_rows(result: ExhibitResult) -> list[list[TableCell]]:
    """Return the result's rows: their names, then for each metric the published number and ours."""
    rows = []
    for row in result.rows:
        cells = [TableCell(name) for name in label_row(result, row)]
        for metric in METRIC_LABELS:
            published = row.get_published(metric)
            cells.append(TableCell("" if published is None else format_published(published)))
            cells += [_format_ours(row, protocol, metric) for protocol in result.protocols]
        rows.append(cells)
    return rows


def label_row(result: ExhibitResult, row: ExhibitRow) -> list[str]:
    """Return the parts of the row's key in words."""
    labels = SYSTEM_LABELS | ({"neumf": "NeuMF"} if result.exhibit.tuned else {})
    return [
        labels.get(str(part), str(part)) if part != 0 or name in COUNTED else "–"
        for name, part in zip(result.exhibit.named_by, row.key, strict=True)
    ]


def _label_choice(protocol: str) -> str:
    """Return how the protocol chooses the epoch: "chosen on test"."""
    return PROTOCOL_LABELS[protocol].removeprefix("epoch ")


def format_published(published: float) -> str:
    """Write a number with three digits where it has no more, else with four."""
    return decimal(published, 3 if round(published, 3) == published else 4)


def _format_ours(row: ExhibitRow, protocol: str, metric: PaperMetric) -> TableCell:
    """Write our number, and its difference from the published one."""
    runs = row.runs.get(protocol)
    if runs is None:
        return TableCell("not here", MISSING)
    if metric not in runs.measured:
        return TableCell(MISSING, MISSING)
    measured = runs.measured[metric]
    text = with_sd(measured.mean, measured.spread)
    if runs.missing:
        text += f" ({len(runs.records)} of {counted(runs.wanted, 'seed')})"
    published = row.get_published(metric)
    if published is None:
        return TableCell(text)
    difference = compare_means(measured, published)
    mark = MARKS[difference.verdict]
    return TableCell(f"{text} {format_difference(difference.value)} {mark}", difference.verdict)


def format_difference(value: float) -> str:
    """Write a difference with its sign: −.193."""
    return decimal(value, 3, sign=True).replace("-", "−")


@dataclass(frozen=True)
class ComparedNumber:
    """One number of ours beside a published one."""

    result: ExhibitResult
    row: ExhibitRow
    protocol: str
    metric: PaperMetric
    ours: float
    tolerance: float
    """How far off is within noise."""
    published: float
    difference: Difference

    @property
    def label(self) -> str:
        """Return its row in words: "GMF, factors 8"."""
        named_by = self.result.exhibit.named_by
        parts = [
            part if name in ("system", "model") else f"{name} {part}"
            for name, part in zip(named_by, label_row(self.result, self.row), strict=True)
            if part != "–"
        ]
        return ", ".join([*(["MLP"] if "layers" in named_by else []), *parts])

    def __str__(self) -> str:
        """Return the number in words: its exhibit, data, row, protocol and difference."""
        return (
            f"{self.result.exhibit.name}, {self.result.data}: {self.label}, "
            f"{METRIC_LABELS[self.metric]} {decimal(self.ours)}, {PROTOCOL_LABELS[self.protocol]}; "
            f"published {format_published(self.published)}: "
            f"{format_difference(self.difference.value)}"
        )


def compare_numbers(result: ExhibitResult) -> Iterator[ComparedNumber]:
    """Yield every number of ours that has a published one."""
    for row in result.rows:
        for protocol, runs in row.runs.items():
            for metric, measured in runs.measured.items():
                published = row.get_published(metric)
                if published is not None:
                    difference = compare_means(measured, published)
                    ours = measured.mean, measured.tolerance
                    yield ComparedNumber(
                        result, row, protocol, metric, *ours, published, difference
                    )


def list_numbers(results: Sequence[ExhibitResult]) -> list[ComparedNumber]:
    """Return every number of ours that has a published one, by difference.

    The same runs beside the same published number, in two exhibits, count once.
    """
    found: dict[tuple[object, ...], ComparedNumber] = {}
    for result in results:
        for number in compare_numbers(result):
            runs = number.row.runs[number.protocol].run_ids
            found.setdefault((runs, number.metric, number.published), number)
    return sorted(found.values(), key=lambda number: number.difference.value)


def find_largest_differences(results: Sequence[ExhibitResult]) -> list[ComparedNumber]:
    """Return the largest differences that are not noise."""
    found = [one for one in list_numbers(results) if one.difference.verdict != "within"]
    return sorted(found, key=lambda number: -abs(number.difference.value))[:LARGEST]


def summarize_numbers(results: Sequence[ExhibitResult]) -> list[str]:
    """Return a sentence a protocol: how many numbers are within noise, and how far they are off."""
    numbers = list_numbers(results)
    lines = []
    for protocol, label in PROTOCOL_LABELS.items():
        mine = [number for number in numbers if number.protocol == protocol]
        if mine:
            counts: Counter[str] = Counter(number.difference.verdict for number in mine)
            found = ", ".join(f"{counts[verdict]} {words}" for verdict, words in WORDS.items())
            medians = " and ".join(
                f"{format_difference(median(values))} of {name}"
                for metric, name in METRIC_LABELS.items()
                if (values := [n.difference.value for n in mine if n.metric == metric])
            )
            lines.append(
                f"{label.capitalize()}: of {counted(len(mine), 'number')} {found}; "
                f"the median difference is {medians}."
            )
    return lines


OVERVIEW_HEADINGS = ("", "data", "epoch chosen on", "runs", "within noise", "above", "below")


def format_overview(results: Sequence[ExhibitResult]) -> list[list[str]]:
    """Return for each exhibit, data set and protocol its runs, and how its numbers compare."""
    rows = []
    for result in results:
        for protocol in result.protocols:
            done, wanted = _count_runs(result.list_runs(protocol))
            verdicts: Counter[str] = Counter(
                number.difference.verdict
                for number in compare_numbers(result)
                if number.protocol == protocol
            )
            rows.append(
                [
                    result.exhibit.name,
                    result.data,
                    _label_choice(protocol).removeprefix("chosen on "),
                    str(done) if done == wanted else f"{done} of {wanted}",
                    *(str(verdicts[verdict]) for verdict in MARKS),
                ]
            )
    return rows


def list_missing(results: Sequence[ExhibitResult]) -> list[str]:
    """Return sentences of what is not there, and the errors of what failed."""
    lines = []
    for result in results:
        exhibit = result.exhibit.name
        for protocol in result.protocols:
            runs = result.list_runs(protocol)
            done, wanted = _count_runs(runs)
            if done < wanted:
                where = f"{exhibit} on {result.data}, {PROTOCOL_LABELS[protocol]}"
                lines.append(f"{where}: {wanted - done} of {counted(wanted, 'run')}")
            lines += [f"{exhibit}: {error}" for seeds in runs for error in seeds.errors]
        names = [label_row(result, row)[0] for row in result.rows if not row.runs]
        if names:
            lines.append(f"{exhibit} on {result.data}: no tuned {', '.join(names)} here")
    return list(dict.fromkeys(lines))


def _count_runs(runs: Sequence[SeedRuns]) -> tuple[int, int]:
    """Return how many of the runs are finished, and how many are wanted."""
    return sum(len(seeds.records) for seeds in runs), sum(seeds.wanted for seeds in runs)


def make_frame(result: ExhibitResult) -> pd.DataFrame:
    """Return the result's numbers, one row each, for other programs."""
    return pd.DataFrame(
        {
            **dict(zip(result.exhibit.named_by, row.key, strict=True)),
            "data": result.data,
            "protocol": protocol,
            "metric": metric,
            **_list_columns(row, row.runs.get(protocol, NO_RUNS), metric),
        }
        for row in result.rows
        for protocol in result.protocols
        for metric in METRIC_LABELS
    )


def _list_columns(row: ExhibitRow, runs: SeedRuns, metric: PaperMetric) -> dict[str, object]:
    """Return the columns of one number of ours, and of the published one, if there are such."""
    published = row.get_published(metric)
    ours: SeedMetric | None = runs.measured.get(metric)
    difference = compare_means(ours, published) if ours and published is not None else None
    return {
        "published": published,
        "ours": ours.mean if ours else None,
        "sd": ours.spread if ours else None,
        "seeds": len(runs.records),
        "difference": difference.value if difference else None,
        "tolerance": ours.tolerance if ours else None,
        "verdict": difference.verdict if difference else MISSING * (not ours),
    }

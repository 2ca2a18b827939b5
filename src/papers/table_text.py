"""Rows of results as tables of text, for the page and for Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from src.papers.exhibits import LABELS
from src.papers.figures import PROTOCOL_LABELS
from src.papers.noise import Difference, compare
from src.papers.reproduction import METRICS, Block, Cell, Metric, Row
from src.reporting.wording import counted, decimal, with_sd

MARKS = {"within": "≈", "above": "▲", "below": "▼"}
LEGEND = (
    "Behind each number is its difference from the published one, "
    "≈ within noise, ▲ above or ▼ below"
)
MISSING = "missing"
# Where 0 is a number of such things, and not their absence
COUNTED = ("layers",)
# As many of the differences that are not noise as a reader wants to hear of first
LARGEST = 10


@dataclass(frozen=True)
class Text:
    """One cell as it is shown."""

    text: str
    kind: str = ""
    """within, above, below or missing; nothing of what is compared with nothing."""


def heads_of(block: Block) -> list[str]:
    """Of the columns that `lines_of` fills."""
    heads = ["system" if name == "model" else name for name in block.thing.named_by]
    for label in METRICS.values():
        heads.append(f"{label} published")
        heads += [f"{label}, {_chosen(protocol)}" for protocol in block.protocols]
    return heads


def lines_of(block: Block) -> list[list[Text]]:
    """The block's rows: what names them, then for each metric the published number and ours."""
    lines = []
    for row in block.rows:
        line = [Text(name) for name in names_of(block, row)]
        for metric in METRICS:
            published = row.published_of(metric)
            line.append(Text("" if published is None else exact(published)))
            line += [_ours(row, protocol, metric) for protocol in block.protocols]
        lines.append(line)
    return lines


def names_of(block: Block, row: Row) -> list[str]:
    """The row's key in words."""
    labels = LABELS | ({"neumf": "NeuMF"} if block.thing.revisit else {})
    return [
        labels.get(str(part), str(part)) if part != 0 or name in COUNTED else "–"
        for name, part in zip(block.thing.named_by, row.key, strict=True)
    ]


def _chosen(protocol: str) -> str:
    return PROTOCOL_LABELS[protocol].removeprefix("epoch ")


def exact(published: float) -> str:
    """With as many digits as were published: three or four."""
    return decimal(published, 3 if round(published, 3) == published else 4)


def _ours(row: Row, protocol: str, metric: Metric) -> Text:
    cell = row.cells.get(protocol)
    if cell is None:
        return Text("not here", MISSING)
    if metric not in cell.measured:
        return Text(MISSING, MISSING)
    measured = cell.measured[metric]
    text = with_sd(measured.mean, measured.spread)
    if len(cell.records) < cell.wanted:
        text += f" ({len(cell.records)} of {counted(cell.wanted, 'seed')})"
    published = row.published_of(metric)
    if published is None:
        return Text(text)
    difference = compare(measured, published)
    return Text(
        f"{text} {signed(difference.value)} {MARKS[difference.verdict]}", difference.verdict
    )


def signed(value: float) -> str:
    return decimal(value, 3, sign=True).replace("-", "−")


@dataclass(frozen=True)
class Compared:
    """One number of ours beside a published one."""

    block: Block
    row: Row
    protocol: str
    metric: Metric
    ours: float
    published: float
    difference: Difference

    def __str__(self) -> str:
        names = [
            part if name in ("system", "model") else f"{name} {part}"
            for name, part in zip(
                self.block.thing.named_by, names_of(self.block, self.row), strict=True
            )
            if part != "–"
        ]
        return (
            f"{self.block.thing.name}, {self.block.data}: {', '.join(names)}, "
            f"{METRICS[self.metric]} {decimal(self.ours)}, {PROTOCOL_LABELS[self.protocol]}; "
            f"published {exact(self.published)}: {signed(self.difference.value)}"
        )


def compared(block: Block) -> Iterator[Compared]:
    """Every number of ours that has a published one."""
    for row in block.rows:
        for protocol, cell in row.cells.items():
            for metric, measured in cell.measured.items():
                published = row.published_of(metric)
                if published is not None:
                    difference = compare(measured, published)
                    yield Compared(
                        block, row, protocol, metric, measured.mean, published, difference
                    )


def largest(blocks: Sequence[Block]) -> list[Compared]:
    """The largest differences that are not noise; a run that stands in two places counts once."""
    found: dict[tuple[object, ...], Compared] = {}
    for block in blocks:
        for one in compared(block):
            if one.difference.verdict != "within":
                found.setdefault((block.data, one.protocol, one.metric, one.ours), one)
    ordered = sorted(found.values(), key=lambda one: -abs(one.difference.value))
    return ordered[:LARGEST]


OVERVIEW = ("", "data", "epoch chosen on", "runs", "within noise", "above", "below")


def overview(blocks: Sequence[Block]) -> list[list[str]]:
    """For each thing, data set and protocol: its runs, and how its numbers compare."""
    lines = []
    for block in blocks:
        for protocol in block.protocols:
            cells = _cells(block, protocol)
            done, wanted = sum(len(c.records) for c in cells), sum(c.wanted for c in cells)
            counts: Counter[str] = Counter(
                one.difference.verdict for one in compared(block) if one.protocol == protocol
            )
            lines.append(
                [
                    block.thing.name,
                    block.data,
                    _chosen(protocol).removeprefix("chosen on "),
                    str(done) if done == wanted else f"{done} of {wanted}",
                    *(str(counts[verdict]) for verdict in MARKS),
                ]
            )
    return lines


def missing(blocks: Sequence[Block]) -> list[str]:
    """What is not there, in sentences, with the errors of what failed."""
    said = []
    for block in blocks:
        for protocol in block.protocols:
            cells = _cells(block, protocol)
            lacking = sum(c.wanted - len(c.records) for c in cells)
            if lacking:
                where = f"{block.thing.name} on {block.data}, {PROTOCOL_LABELS[protocol]}"
                said.append(f"{where}: {lacking} of {counted(sum(c.wanted for c in cells), 'run')}")
            said += [f"{block.thing.name}: {error}" for c in cells for error in c.errors]
        names = [names_of(block, row)[0] for row in block.rows if not row.cells]
        if names:
            said.append(f"{block.thing.name} on {block.data}: no tuned {', '.join(names)} here")
    return list(dict.fromkeys(said))


def _cells(block: Block, protocol: str) -> list[Cell]:
    return [row.cells[protocol] for row in block.rows if protocol in row.cells]


def frame(block: Block) -> pd.DataFrame:
    """The block's numbers, one row each, for other programs."""
    rows = []
    for row in block.rows:
        named = dict(zip(block.thing.named_by, row.key, strict=True))
        for protocol in block.protocols:
            cell = row.cells.get(protocol, Cell(0, [], {}))
            for metric in METRICS:
                published, ours = row.published_of(metric), cell.measured.get(metric)
                difference = compare(ours, published) if ours and published is not None else None
                rows.append(
                    {
                        **named,
                        "data": block.data,
                        "protocol": protocol,
                        "metric": metric,
                        "published": published,
                        "ours": ours.mean if ours else None,
                        "sd": ours.spread if ours else None,
                        "seeds": len(cell.records),
                        "difference": difference.value if difference else None,
                        "tolerance": ours.tolerance if ours else None,
                        "verdict": difference.verdict if difference else MISSING * (not ours),
                    }
                )
    return pd.DataFrame(rows)

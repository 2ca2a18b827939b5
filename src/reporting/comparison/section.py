"""What a page is made of, and how it speaks of the comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from src.reporting.comparison.measures import Comparison, title
from src.reporting.wording import decimal

PARTS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Picture:
    file: Path
    alt: str
    title: str = ""
    inches: float | None = None
    """Its width, where it is to be kept on a phone, and scrolled."""


@dataclass
class Section:
    name: str
    title: str
    text: list[str] = field(default_factory=list)
    """Paragraphs before the pictures."""
    heads: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    """A table before the pictures."""
    pictures: list[Picture] = field(default_factory=list)
    caption: str = ""
    """What stands below the pictures."""
    closed: list[Section] = field(default_factory=list)
    """Shown on request."""
    files: list[Path] = field(default_factory=list)
    """The numbers behind the pictures."""

    def every_file(self) -> list[Path]:
        """Pictures and numbers, also of what is closed."""
        inner = [file for section in self.closed for file in section.every_file()]
        return [*(picture.file for picture in self.pictures), *self.files, *inner]


def write_table(file: Path, table: pd.DataFrame) -> Path:
    table.to_csv(file, index=False)
    return file


def quality_label(comparison: Comparison) -> str:
    """What orders the page: "test NDCG@10"."""
    return labelled(comparison.quality)


def labelled(metric: str) -> str:
    """A metric with its part, as an axis has it: "validation NDCG@10"."""
    return f"{PARTS[metric.partition('/')[0]]} {title(metric)}"


def selector(comparison: Comparison) -> str:
    """What the few are chosen by: "NDCG@10 on validation"."""
    metric = comparison.selector
    return f"{title(metric)} on {PARTS[metric.partition('/')[0]]}"


def reading(comparison: Comparison) -> str:
    """The result in a sentence or two; none where numbers can't be compared."""
    if not comparison.configurations or not comparison.comparable:
        return ""
    first, quality = comparison.configurations[0], comparison.quality
    mean, sd = first.mean(quality), first.sd(quality)
    if mean is None:
        return ""
    value = decimal(mean) + ("" if sd is None else f" ± {decimal(sd)}")
    if len(comparison.configurations) == 1:
        return f"{first.label} has a {quality_label(comparison)} of {value}."
    text = f"{first.label} has the best {quality_label(comparison)}: {value}."
    chosen = comparison.chosen
    if chosen is None or quality == comparison.monitor:
        return text
    if chosen is first:
        return f"{text} Validation chooses the same."
    its = chosen.mean(quality)
    which = "" if its is None else f", which has {decimal(its)}"
    return f"{text} Validation chooses {chosen.label}{which}."

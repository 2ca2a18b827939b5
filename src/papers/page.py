"""The results as one self-contained page, with PNG, CSV and Markdown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.papers.exhibits import DATA_LABELS, Thing
from src.papers.figures import panels_of, title_of
from src.papers.markdown import picture_name, sections, whole_page
from src.papers.noise import RULE
from src.papers.provenance import Fact
from src.papers.reproduction import Block, Store
from src.papers.table_text import (
    LEGEND,
    OVERVIEW,
    Text,
    frame,
    heads_of,
    largest,
    lines_of,
    missing,
    overview,
)
from src.reporting.pages import write_html
from src.reporting.pictures.panels import draw_panels

TEMPLATE = "paper.html.j2"


@dataclass(frozen=True)
class Shown:
    """A block as the page's template takes it."""

    data: str
    heads: list[str]
    names: int
    """How many of the columns name the row."""
    lines: list[list[Text]]
    picture: Path | None
    csv: Path


@dataclass(frozen=True)
class Written:
    """What `write_page` wrote."""

    page: Path
    markdown: dict[str, list[str]]
    """Lines by section."""
    pictures: dict[str, Path]
    """By thing and data set."""


def write_page(
    page: Path, title: str, blocks: Sequence[Block], facts: Sequence[Fact], store: Store
) -> Written:
    """Writes `page`, its Markdown with the same stem, and a folder of pictures and tables."""
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Path] = {}
    things: dict[Thing, list[Shown]] = {}
    for block in blocks:
        name = picture_name(block)
        panels = panels_of(block, store)
        if panels is not None:
            pictures[name] = folder / f"{name}.png"
            draw_panels(pictures[name], title_of(block), panels)
        table = folder / f"{name}.csv"
        frame(block).to_csv(table, index=False)
        things.setdefault(block.thing, []).append(
            Shown(
                DATA_LABELS.get(block.data, block.data),
                heads_of(block),
                len(block.thing.named_by),
                lines_of(block),
                pictures.get(name),
                table,
            )
        )
    write_html(
        page,
        "src.papers",
        TEMPLATE,
        title=title,
        facts=facts,
        legend=LEGEND,
        rule=RULE,
        overview_heads=OVERVIEW,
        overview=overview(blocks),
        missing=missing(blocks),
        largest=largest(blocks),
        things=things,
    )
    found = sections(blocks, facts, pictures)
    relative = {key: Path(folder.name) / file.name for key, file in pictures.items()}
    text = whole_page(title, blocks, found)
    for file in relative.values():
        text = text.replace(f"({file.name})", f"({file.as_posix()})")
    page.with_suffix(".md").write_text(text)
    return Written(page, found, pictures)

"""The tables as Markdown, on a page of their own or between the marks of a page by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.errors import UserError
from src.papers.exhibits import DATA_LABELS
from src.papers.noise import RULE
from src.papers.provenance import Fact
from src.papers.reproduction import Block
from src.papers.table_text import (
    LEGEND,
    OVERVIEW,
    heads_of,
    largest,
    lines_of,
    missing,
    overview,
)

ABOUT, DIFFERENCES = "about", "differences"


def sections(
    blocks: Sequence[Block], facts: Sequence[Fact], pictures: Mapping[str, Path]
) -> dict[str, list[str]]:
    """Lines of Markdown under each mark's name: about, every thing, the largest differences.

    `pictures`: by thing and data set, "figure4-ncf-ml-1m".
    """
    found = {
        ABOUT: [
            *(f"- {fact.name}: {fact.text}" for fact in facts),
            "",
            f"{LEGEND}. {RULE}",
            "",
            *_table(OVERVIEW, overview(blocks)),
        ],
        DIFFERENCES: [f"- {one}" for one in largest(blocks)] or ["None is beyond noise."],
    }
    if gone := missing(blocks):
        found[ABOUT] += ["", "Missing:", "", *(f"- {line}" for line in gone)]
    for block in blocks:
        found.setdefault(block.thing.name, []).extend(_block(block, pictures))
    return found


def _block(block: Block, pictures: Mapping[str, Path]) -> list[str]:
    cells = [[cell.text for cell in line] for line in lines_of(block)]
    lines = [f"{DATA_LABELS.get(block.data, block.data)}:", "", *_table(heads_of(block), cells), ""]
    picture = pictures.get(picture_name(block))
    if picture is not None:
        lines += [f"![{block.thing.title}]({picture.name})", ""]
    return lines


def picture_name(block: Block) -> str:
    """What the block's picture and its CSV are called."""
    return f"{block.thing.name}-{block.data}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def whole_page(title: str, blocks: Sequence[Block], found: Mapping[str, Sequence[str]]) -> str:
    """A page of all sections, the tables under their own titles."""
    lines = [f"# {title}", "", *found[ABOUT], ""]
    for thing in dict.fromkeys(block.thing for block in blocks):
        lines += [f"## {thing.title}", "", *(f"{note}\n" for note in thing.notes)]
        lines += found[thing.name]
    lines += ["## The largest differences beyond noise", "", *found[DIFFERENCES]]
    return "\n".join(lines) + "\n"


def fill(page: Path, name: str, lines: Sequence[str]) -> bool:
    """Puts the lines between the page's two marks of that name; False if it has none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, mark, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not mark:
        return False
    if not closed:
        raise UserError(f"{page}: {begin} without {end} after it")
    page.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")
    return True


def fill_all(
    page: Path, prefix: str, found: Mapping[str, Sequence[str]], pictures: Mapping[str, Path]
) -> list[str]:
    """Fills the marks `prefix`NAME that the page has, pictures beside it; returns their names.

    Raises UserError if it has none of them.
    """
    filled = []
    for name, lines in found.items():
        mine = [file for key, file in pictures.items() if key.startswith(f"{name}-")]
        renamed = "\n".join(lines)
        for file in mine:
            renamed = renamed.replace(f"({file.name})", f"({page.stem}-{prefix}{file.name})")
        if fill(page, f"{prefix}{name}", renamed.split("\n")):
            filled.append(f"{prefix}{name}")
            for file in mine:
                shutil.copyfile(file, page.with_name(f"{page.stem}-{prefix}{file.name}"))
    if not filled:
        marks = ", ".join(f"<!-- {prefix}{name} -->" for name in found)
        raise UserError(f"fill={page}: it has none of the marks {marks}")
    return filled

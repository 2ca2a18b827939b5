"""The tables as Markdown, on a page of their own or between the marks of a page by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.errors import UserError
from src.papers.claims import RULE as RULE_OF_CLAIMS
from src.papers.claims import ClaimTable
from src.papers.exhibits import DATA_LABELS
from src.papers.noise import RULE
from src.papers.reproduction import ExhibitResult
from src.papers.table_text import (
    LEGEND,
    OVERVIEW_HEADINGS,
    find_largest_differences,
    format_overview,
    format_rows,
    list_headings,
    list_missing,
    summarize_numbers,
)
from src.reporting.comparison.header import Fact

CLAIMS, ABOUT, DIFFERENCES = "claims", "about", "differences"


def format_sections(
    results: Sequence[ExhibitResult],
    facts: Sequence[Fact],
    pictures: Mapping[str, Path],
    claims: Sequence[ClaimTable],
) -> dict[str, list[str]]:
    """Return lines of Markdown by mark: claims, about, every exhibit, the largest differences.

    `pictures`: by exhibit and data set, "figure4-ncf-ml-1m", and that of the differences.
    """
    differences = [f"- {number}" for number in find_largest_differences(results)]
    differences = differences or ["None is beyond noise."]
    if DIFFERENCES in pictures:
        picture = f"![Published and measured]({pictures[DIFFERENCES].name})"
        summary = [f"- {line}" for line in summarize_numbers(results)]
        beyond = "The largest beyond noise:"
        differences = [*summary, "", picture, "", beyond, "", *differences]
    found = {
        CLAIMS: _format_claims(claims),
        ABOUT: [
            *(f"- {fact.name}: {fact.text}" for fact in facts),
            "",
            f"{LEGEND}. {RULE}",
            "",
            *format_table(OVERVIEW_HEADINGS, format_overview(results)),
        ],
        DIFFERENCES: differences,
    }
    if gone := list_missing(results):
        found[ABOUT] += ["", "Missing:", "", *(f"- {line}" for line in gone)]
    for result in results:
        found.setdefault(result.exhibit.name, []).extend(_format_result(result, pictures))
    return found


def _format_result(result: ExhibitResult, pictures: Mapping[str, Path]) -> list[str]:
    """Return the result's table, and the link to its picture, if it has one."""
    table = format_table(
        list_headings(result), [[cell.text for cell in row] for row in format_rows(result)]
    )
    lines = [f"{DATA_LABELS.get(result.data, result.data)}:", "", *table, ""]
    picture = pictures.get(name_files(result))
    if picture is not None:
        lines += [f"![{result.exhibit.title}]({picture.name})", ""]
    return lines


def _format_claims(tables: Sequence[ClaimTable]) -> list[str]:
    """Return the tables of claims."""
    lines = []
    for table in tables:
        rows = [[text, *(cell.text for cell in cells)] for text, cells in table.rows]
        lines += [f"{table.title}:", "", *format_table(table.headings, rows), ""]
    return [*lines, RULE_OF_CLAIMS] if lines else ["No runs yet."]


def name_files(result: ExhibitResult) -> str:
    """Return the name of the result's picture and of its CSV, without the ending."""
    return f"{result.exhibit.name}-{result.data}"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def format_page(
    title: str, results: Sequence[ExhibitResult], found: Mapping[str, Sequence[str]]
) -> str:
    """Return a page of all sections, the tables under their own titles."""
    lines = [f"# {title}", "", *found[CLAIMS], "", *found[ABOUT], ""]
    for exhibit in dict.fromkeys(result.exhibit for result in results):
        lines += [f"## {exhibit.title}", "", *(f"{note}\n" for note in exhibit.notes)]
        lines += found[exhibit.name]
    lines += ["## The largest differences beyond noise", "", *found[DIFFERENCES]]
    return "\n".join(lines) + "\n"


def fill_mark(page: Path, name: str, lines: Sequence[str]) -> bool:
    """Put the lines between the page's two marks of that name; return False if it has none.

    Raises UserError for a mark without its end.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, mark, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not mark:
        return False
    if not closed:
        raise UserError(f"{page}: {begin} without {end} after it")
    page.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")
    return True


def fill_marks(
    page: Path, found: Mapping[str, Sequence[str]], pictures: Mapping[str, Path]
) -> list[str]:
    """Fill the marks that the page has, with pictures beside it; return their names.

    Raises UserError if it has none of them.
    """
    filled = []
    for name, lines in found.items():
        renamed = "\n".join(lines)
        mine = [file for file in pictures.values() if f"({file.name})" in renamed]
        for file in mine:
            renamed = renamed.replace(f"({file.name})", f"({page.stem}-{file.name})")
        if fill_mark(page, name, renamed.split("\n")):
            filled.append(name)
            for file in mine:
                shutil.copyfile(file, page.with_name(f"{page.stem}-{file.name}"))
    if not filled:
        marks = ", ".join(f"<!-- {name} -->" for name in found)
        raise UserError(f"fill={page}: it has none of the marks {marks}")
    return filled

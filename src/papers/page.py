"""The results as one self-contained page, with PNG, CSV and Markdown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.papers import claims
from src.papers.dot_plot import draw_differences
from src.papers.exhibits import DATA_LABELS, Exhibit
from src.papers.figures import format_title, make_panels
from src.papers.markdown import DIFFERENCES, format_page, format_sections, name_files
from src.papers.noise import RULE
from src.papers.reproduction import ExhibitResult, RecordedRuns
from src.papers.table_text import (
    LEGEND,
    OVERVIEW_HEADINGS,
    TableCell,
    find_largest_differences,
    format_overview,
    format_rows,
    list_headings,
    list_missing,
    make_frame,
    summarize_numbers,
)
from src.reporting.comparison.header import Fact
from src.reporting.pages import write_html
from src.reporting.pictures.panels import draw_panels

TEMPLATE = "paper.html.j2"


@dataclass(frozen=True)
class ResultSection:
    """A result as the page's template takes it."""

    data: str
    headings: list[str]
    names: int
    """How many of the columns name the row."""
    rows: list[list[TableCell]]
    picture: Path | None
    csv: Path


@dataclass(frozen=True)
class WrittenPage:
    """The files that `write_page` wrote."""

    page: Path
    markdown: dict[str, list[str]]
    """Lines by section."""
    pictures: dict[str, Path]
    """By exhibit and data set."""


def write_page(
    page: Path,
    title: str,
    results: Sequence[ExhibitResult],
    facts: Sequence[Fact],
    recorded: RecordedRuns,
) -> WrittenPage:
    """Write `page`, its Markdown with the same stem, and a folder of pictures and tables."""
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _draw_pictures(folder, results, recorded)
    differences = draw_differences(folder / "differences.png", results)
    judged = claims.make_claim_tables(results, recorded)
    exhibits: dict[Exhibit, list[ResultSection]] = {}
    for result in results:
        section = _write_section(folder, result, pictures.get(name_files(result)))
        exhibits.setdefault(result.exhibit, []).append(section)
    write_html(
        page,
        "src.papers",
        TEMPLATE,
        title=title,
        facts=facts,
        legend=LEGEND,
        rule=RULE,
        claims=judged,
        claim_rule=claims.RULE,
        differences=differences,
        summary=summarize_numbers(results),
        overview_headings=OVERVIEW_HEADINGS,
        overview=format_overview(results),
        missing=list_missing(results),
        largest=find_largest_differences(results),
        exhibits=exhibits,
    )
    if differences is not None:
        pictures[DIFFERENCES] = differences
    sections = format_sections(results, facts, pictures, judged)
    text = format_page(title, results, sections)
    for picture in pictures.values():
        text = text.replace(f"({picture.name})", f"({folder.name}/{picture.name})")
    page.with_suffix(".md").write_text(text)
    return WrittenPage(page, sections, pictures)


def _draw_pictures(
    folder: Path, results: Sequence[ExhibitResult], recorded: RecordedRuns
) -> dict[str, Path]:
    """Draw the picture of each result that has one; return their files by the results' names."""
    pictures = {}
    for result in results:
        panels = make_panels(result, recorded)
        if panels is not None:
            name = name_files(result)
            pictures[name] = folder / f"{name}.png"
            draw_panels(pictures[name], format_title(result), panels)
    return pictures


def _write_section(folder: Path, result: ExhibitResult, picture: Path | None) -> ResultSection:
    """Write the result's CSV; return what the page shows of it."""
    csv = folder / f"{name_files(result)}.csv"
    make_frame(result).to_csv(csv, index=False)
    return ResultSection(
        DATA_LABELS.get(result.data, result.data),
        list_headings(result),
        len(result.exhibit.named_by),
        format_rows(result),
        picture,
        csv,
    )

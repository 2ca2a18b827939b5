"""The printed table as LaTeX, as Markdown and on the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from src.reporting.comparison.printed_table import (
    DAGGER,
    FIRST,
    SECOND,
    PrintedCell,
    PrintedTable,
)
from src.reporting.terminal import make_console

ENDINGS = {"latex": ".tex", "markdown": ".md"}
"""How the file of each format ends."""

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"$^\dagger$",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "−": "$-$",
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
}
MARKDOWN = re.compile(r"([\\|*_`<])")


def write_table(file: Path, table: PrintedTable) -> Path:
    """Write the table in the format that the file's ending names, and return the file."""
    lines = format_latex(table) if file.suffix == ENDINGS["latex"] else format_markdown(table)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def format_latex(table: PrintedTable) -> list[str]:
    """Return the lines of a LaTeX table, which needs the package booktabs."""
    label = re.sub(r"[^a-z0-9]+", "-", table.title.lower()).strip("-")
    caption = " ".join(map(_escape_latex, [f"{table.title}.", *table.notes]))
    return [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{caption}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(table.heads)}}}",
        "    \\toprule",
        f"    {_join_latex(['', *map(_escape_latex, table.heads)])}",
        "    \\midrule",
        *(
            f"    {_join_latex([_escape_latex(row.name), *map(_cell_in_latex, row.cells)])}"
            for row in table.rows
        ),
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
    ]


def format_markdown(table: PrintedTable) -> list[str]:
    """Return the lines of a Markdown table, with what has to be said below it."""
    lines = [
        _join_markdown(["", *map(_escape_markdown, table.heads)]),
        f"|---|{'---:|' * len(table.heads)}",
    ]
    lines += [
        _join_markdown([_escape_markdown(row.name), *map(_cell_in_markdown, row.cells)])
        for row in table.rows
    ]
    return [*lines, "", *map(_escape_markdown, [" ".join(table.notes)])]


def print_table(table: PrintedTable) -> None:
    """Print the table on the terminal."""
    shown = Table()
    shown.add_column("")
    for head in table.heads:
        shown.add_column(head, justify="right")
    for row in table.rows:
        shown.add_row(Text(row.name), *map(_cell_on_terminal, row.cells))
    print(table.title)
    make_console().print(shown)
    print("\n".join(table.notes))


def _join_latex(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _join_markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape_latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def _escape_markdown(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", text)


def _cell_in_latex(cell: PrintedCell) -> str:
    if not cell.mean:
        return ""
    marked = {FIRST: rf"\mathbf{{{cell.mean}}}", SECOND: rf"\underline{{{cell.mean}}}"}
    mean = marked.get(cell.place, cell.mean)
    sd = rf" \pm {cell.sd}" if cell.sd else ""
    mark = r"^{\dagger}" if cell.differs else ""
    return f"${mean}{sd}{mark}$"


def _cell_in_markdown(cell: PrintedCell) -> str:
    marked = {FIRST: f"**{cell.mean}**", SECOND: f"<u>{cell.mean}</u>"}
    return marked.get(cell.place, cell.mean) + _end_of(cell)


def _cell_on_terminal(cell: PrintedCell) -> Text:
    styles = {FIRST: "bold", SECOND: "underline"}
    return Text.assemble((cell.mean, styles.get(cell.place, "")), _end_of(cell))


def _end_of(cell: PrintedCell) -> str:
    """Return what stands behind the mean."""
    return (f" ± {cell.sd}" if cell.sd else "") + (DAGGER if cell.differs else "")

"""What a report is to be: a page, a page with a printed table beside it, or the table alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from src.config.build import read
from src.errors import UserError
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.printed_table import PrintedTable, make_printed_table
from src.reporting.comparison.run_choice import name_file
from src.reporting.comparison.table_formats import ENDINGS
from src.reporting.comparison.trials_section import split_trials
from src.reporting.output_file import output_file
from src.tracking.reading import Reader, Record

PAGE = ".html"


@dataclass(frozen=True)
class ReportOutput:
    """The options of `python -m src.report` that say what is written, as conf/report.yaml has."""

    out: str | None = None
    format: Literal["latex", "markdown"] | None = None
    table: bool = False

    def name_files(self, title: str, folder: Path) -> tuple[Path | None, Path | None]:
        """Return the page and the table's file, each None where it is not asked for.

        Without `out` they are in `folder`, called by the report's title.
        """
        if self.table:
            return None, None
        file = folder / f"{name_file(title)}{PAGE}"
        if self.out is not None:
            file = output_file(self.out, (PAGE, *ENDINGS.values()))
        if file.suffix != PAGE:
            return None, file
        return file, file.with_suffix(ENDINGS[self.format]) if self.format else None


def check_output(options: Mapping[str, Any]) -> ReportOutput:
    """Return the options, typed. Raises UserError for the first mistake."""
    known = {name: options[name] for name in ReportOutput.__dataclass_fields__}
    output = read(ReportOutput, known, "")
    if output.table and (output.out is not None or output.format is not None):
        raise UserError("table=true prints the table and writes no file: leave out format and out")
    ending = Path(output.out or "").suffix
    if output.format and ending not in ("", PAGE, ENDINGS[output.format]):
        raise UserError(
            f"format={output.format} and out={output.out}: the table's file ends in "
            f"{ENDINGS[output.format]}, and the page's in {PAGE}"
        )
    return output


def make_table(reader: Reader, records: Sequence[Record], title: str) -> PrintedTable:
    """Make the printed table of these runs alone."""
    return make_printed_table(reader, Comparison(group_runs(split_trials(records)[1])), title)

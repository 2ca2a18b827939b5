"""The comparison of runs as one self-contained page, with its pictures and numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.header import (
    list_facts,
    list_notes,
    list_unfinished,
    summarize_result,
)
from src.reporting.comparison.picture_sections import PictureSections
from src.reporting.comparison.printed_table import make_printed_table
from src.reporting.comparison.section import Section
from src.reporting.comparison.significance_section import make_significance_section
from src.reporting.comparison.table_formats import write_table
from src.reporting.comparison.tables import (
    fill_rows,
    list_columns,
    list_setting_names,
    tabulate_configurations,
    tabulate_runs,
    write_csv,
)
from src.reporting.comparison.trials_section import make_trials_section, split_trials
from src.reporting.pages import write_html
from src.tracking.reading import Reader, Record

TEMPLATE = "comparison.html.j2"


def write_report(
    reader: Reader,
    records: Sequence[Record],
    title: str,
    page: Path,
    table: Path | None = None,
    user_groups: pd.DataFrame | None = None,
) -> list[Path]:
    """Write `page`, and PNG and CSV files into a folder of its name; return all of them.

    Compares the finished ones of `records`; lists the others with their errors. Shows what there
    is: runs may lack any file or metric. `table`: where the table goes as papers have it, if it is
    asked for. `user_groups`: what is known of users, as `read_user_groups` returns it.
    """
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    trials, others = split_trials(records)
    comparison = Comparison(group_runs(others))
    unfinished = list_unfinished(others)
    sections: list[Section] = []
    files: list[Path] = []
    if comparison.configurations:
        files = [
            write_csv(folder / "configurations.csv", tabulate_configurations(comparison)),
            write_csv(folder / "runs.csv", tabulate_runs(comparison)),
        ]
        sections = [
            *PictureSections(reader, comparison, folder, user_groups).draw_all(),
            make_significance_section(reader, comparison, folder),
        ]
    if table is not None:
        files.append(write_table(table, make_printed_table(reader, comparison, title)))
    if trials:
        sections.append(make_trials_section(trials))
    if unfinished:
        files.append(write_csv(folder / "not-finished.csv", pd.DataFrame(unfinished)))
    files += [file for section in sections for file in section.list_files()]
    columns = list_columns(comparison)
    write_html(
        page,
        "src.reporting.comparison",
        TEMPLATE,
        title=title,
        result=summarize_result(comparison),
        facts=list_facts(comparison, unfinished),
        notes=list_notes(comparison, others),
        unfinished=unfinished,
        settings=list_setting_names(comparison),
        columns=columns,
        rows=fill_rows(comparison, columns),
        quality=comparison.quality_label,
        chosen=comparison.chosen,
        comparable=comparison.comparable,
        sections=sections,
        files=files,
    )
    return [page, *files]

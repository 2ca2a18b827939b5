"""The table as papers have it: marks from literal metrics, and its three formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import UserError
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.printed_table import PrintedTable, make_printed_table
from src.reporting.comparison.table_formats import (
    format_latex,
    format_markdown,
    print_table,
    write_table,
)
from src.tracking.reading import Record
from tests.reporting.comparison.runs import Shelf, record, tables


def made(*runs: tuple[Record, list[int]]) -> PrintedTable:
    shelf = Shelf({run.run_id: tables(ranks, [0.5], "val/ndcg@10") for run, ranks in runs})
    return make_printed_table(shelf, Comparison(group_runs(run for run, _ in runs)), "A sweep")


def run(model: str, hr: float, seed: int = 0, **tags: str) -> Record:
    metrics = {"test/hr@10": hr, "test/full/ndcg@10": hr / 4, "best/val/ndcg@10": hr}
    return record(metrics, model__name=model, seed=seed, tags=tags or None)


@pytest.fixture
def table() -> PrintedTable:
    """60 users: one model hits all, one all but one of them, the third 20."""
    return made(
        (run("ease", 0.75), [1] * 60),
        (run("neu_mf", 0.70), [1] * 59 + [11]),
        (run("neu_mf", 0.74, seed=1), [1] * 59 + [11]),
        (run("gmf", 0.33), [1] * 20 + [11] * 40),
    )


def test_marks(table: PrintedTable) -> None:
    assert table.heads == ["HR@10", "NDCG@10, all unseen"]
    rows = {row.name: row.cells for row in table.rows}
    assert [(rows[name][0].mean, rows[name][0].place) for name in ("ease", "neu_mf", "gmf")] == [
        (".7500", 1),
        (".7200", 2),
        (".3300", 0),
    ]
    # of .70 and .74 the sample's standard deviation is .02 times the root of 2
    assert [rows[name][0].sd for name in ("ease", "neu_mf", "gmf")] == ["", ".0283", ""]
    assert [rows[name][0].differs for name in ("ease", "neu_mf", "gmf")] == [False, False, True]
    # runs kept nothing by user of this one
    assert not any(cells[1].differs for cells in rows.values())
    assert table.notes[0] == "Runs: 4 runs of 3 configurations, seeds 0 and 1."
    assert table.notes[-1] == (
        "† differs from the best of its column: paired bootstrap and Wilcoxon tests over users, "
        "both p < .05 after Holm's correction for all pairs."
    )


def test_latex(table: PrintedTable, tmp_path: Path) -> None:
    lines = format_latex(table)
    assert lines[0] == r"% \usepackage{booktabs}"
    assert lines[5] == r"  \begin{tabular}{lrr}"
    assert lines[6:14] == [
        r"    \toprule",
        r"     & HR@10 & NDCG@10, all unseen \\",
        r"    \midrule",
        r"    ease & $\mathbf{.7500}$ & $\mathbf{.1875}$ \\",
        r"    neu\_mf & $\underline{.7200} \pm .0283$ & $\underline{.1800} \pm .0071$ \\",
        r"    gmf & $.3300^{\dagger}$ & $.0825$ \\",
        r"    \bottomrule",
        r"  \end{tabular}",
    ]
    assert r"both p $<$ .05 after Holm's" in lines[3]
    assert lines[4] == r"  \label{tab:a-sweep}"
    assert write_table(tmp_path / "t.tex", table).read_text().splitlines() == lines


def test_markdown(table: PrintedTable, tmp_path: Path) -> None:
    lines = format_markdown(table)
    assert lines[:5] == [
        "|  | HR@10 | NDCG@10, all unseen |",
        "|---|---:|---:|",
        "| ease | **.7500** | **.1875** |",
        r"| neu\_mf | <u>.7200</u> ± .0283 | <u>.1800</u> ± .0071 |",
        "| gmf | .3300† | .0825 |",
    ]
    assert lines[5] == ""
    assert lines[6].endswith("both p \\< .05 after Holm's correction for all pairs.")
    assert write_table(tmp_path / "t.md", table).read_text().splitlines() == lines


def test_terminal(table: PrintedTable, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(table)
    shown = capsys.readouterr().out
    assert "│ neu_mf │ .7200 ± .0283 │       .1800 ± .0071 │" in shown
    assert "│ gmf    │        .3300† │               .0825 │" in shown


def test_what_can_t_be_compared_has_no_best() -> None:
    first, other = run("ease", 0.75), run("gmf", 0.33, data_fingerprint="0" * 64)
    table = made((first, [1] * 60), (other, [11] * 60))
    cells = [cell for row in table.rows for cell in row.cells]
    assert not any(cell.place or cell.differs for cell in cells)
    assert table.notes[-1] == (
        "Numbers of different data or protocols can't be compared: none is marked."
    )


def test_no_finished_run() -> None:
    with pytest.raises(UserError, match="A sweep has no finished run for a table"):
        make_printed_table(Shelf({}), Comparison([]), "A sweep")

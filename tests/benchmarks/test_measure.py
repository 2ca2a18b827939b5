from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.kept import Kept, describe, read_kept, write_kept
from benchmarks.measure import Measured, alternate
from benchmarks.rows import Row


def test_runs_alternate_and_ratios_are_of_pairs() -> None:
    calls: list[str] = []

    def runs(name: str, *values: float) -> Callable[[], float]:
        left = iter(values)

        def run() -> float:
            calls.append(name)
            return next(left)

        return run

    measured = alternate(3, runs("ours", 1, 2, 4), other=runs("other", 10, 6, 4))
    assert calls == ["ours", "other"] * 3
    assert measured.median == 2
    assert measured.ratio("other") == 3  # of 10, 3 and 1


ROW = Row("an epoch", 20.0, "s", Measured([10.0, 12.0, 1234.5], {"plain": [20.0, 36.0, 4938.0]}))


def test_cells() -> None:
    assert report.others_of([ROW]) == ["plain"]
    expected = ["an epoch", "20 s", "12 s", "10 to 1,234", "3.0 ×"]
    assert report.cells(ROW, ["plain"]) == expected
    assert report.cells(ROW, ["plain", "cornac"]) == [*expected, ""]


def test_the_table_goes_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    for _ in range(2):  # a second time, over the first
        report.write([ROW], "bench", "on 2026-01-02 at commit abc")
        text = page.read_text()
        assert "\nMeasured on 2026-01-02 at commit abc: " in text
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert text.count("| an epoch | 20 s | 12 s |") == 1
    report.draw([ROW])
    assert (tmp_path / "performance.png").stat().st_size > 1000


def test_rows_are_kept_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "outputs" / "bench.json"
    assert read_kept(file) == {}
    kept = {
        "epoch": Kept("abc", "2026-01-02", [ROW]),
        "draw": Kept("def", "2026-01-03", [ROW, ROW]),
    }
    write_kept(file, kept)
    assert read_kept(file) == kept
    assert describe([kept["epoch"]]) == "on 2026-01-02 at commit abc"
    both = "from 2026-01-02 to 2026-01-03 at commits abc, def"
    assert describe(list(kept.values())) == both

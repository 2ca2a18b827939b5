"""The table of a sweep's jobs, from literal ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from src.errors import UserError
from src.sweeping.jobs_table import as_markdown, make_table, print_summary
from src.sweeping.plan import Job


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    made = [
        Job([], {"model": name, "model.factors": "8"}, {}, name, tmp_path / name)
        for name in ("gmf", "mlp", "neumf")
    ]
    made[0].folder.mkdir()
    metrics = {"val/ndcg@10": 0.5, "test/hr@10": 0.75, "fit/seconds": 3.21}
    (made[0].folder / "metrics.json").write_text(json.dumps(metrics))
    return made


def test_a_row_for_each_job(jobs: list[Job]) -> None:
    table = make_table(jobs, {"mlp": UserError("no such\nthing")})
    assert list(table["status"]) == ["finished", "failed", "missing"]
    assert list(table["error"]) == ["", "no such thing", ""]
    assert list(table.columns) == [
        "status", "model", "model.factors", "val/ndcg@10", "test/hr@10", "fit/seconds", "error",
        "job", "folder",
    ]  # fmt: skip
    assert table.loc[0, "test/hr@10"] == 0.75
    assert table["test/hr@10"].isna().tolist() == [False, True, True]


def test_what_a_person_reads(jobs: list[Job], capsys: pytest.CaptureFixture[str]) -> None:
    table = make_table(jobs, {key: UserError("no such thing") for key in ("mlp", "neumf")})
    print_summary("night", table, Path("jobs.csv"))
    out = capsys.readouterr().out
    assert "night: 2 failed, 1 finished" in out
    assert "2 failed: no such thing" in out
    assert as_markdown(table).splitlines()[:5] == [
        "Best on validation: model gmf, factors 8, val NDCG@10 0.5000, HR@10 0.7500, seconds 3.2",
        "",
        "| status | model | factors | val NDCG@10 | HR@10 | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
        "| finished | gmf | 8 | 0.5000 | 0.7500 | 3.2 |",
    ]

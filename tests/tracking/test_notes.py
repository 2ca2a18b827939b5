"""Notes on runs, and where their links lead."""

from __future__ import annotations

from pathlib import Path

from src.tracking.notes import link_files, resolve_links


def test_links_lead_to_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    (tmp_path / "curves.png").touch()
    names = {"report.html": "report", "jobs.csv": "jobs", "curves.png": "curves"}
    note = link_files(tmp_path, names)
    assert note == "[report](artifact:report.html) · [curves](artifact:curves.png)"
    assert resolve_links(f"{note}\n\nartifact: a word", "7", "abc") == (
        "[report](#/experiments/7/runs/abc/artifacts/report.html) · "
        "[curves](#/experiments/7/runs/abc/artifacts/curves.png)\n\nartifact: a word"
    )

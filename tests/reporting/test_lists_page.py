"""The page of recommended lists."""

from __future__ import annotations

from pathlib import Path

from src.reporting.lists_page import ShownList, write_lists_page


def test_hits_are_marked_and_titles_are_text(tmp_path: Path) -> None:
    shown = ShownList(
        user="7",
        n_known=12,
        history=["Alien <1979>"],
        held_out=["Brazil"],
        recommended=["Clue & Co", "Brazil"],
    )
    write_lists_page(tmp_path / "recommended.html", "Recommended", "one user", [shown])
    text = (tmp_path / "recommended.html").read_text(encoding="utf-8")
    assert "Alien &lt;1979&gt;" in text
    assert "and 11 more" in text
    assert "<ol><li>Clue &amp; Co<li><b>Brazil ✓</b></ol>" in text

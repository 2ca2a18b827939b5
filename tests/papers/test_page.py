"""The page, its Markdown, and the marks that it fills."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from src.errors import UserError
from src.papers.markdown import fill_mark, fill_marks
from src.papers.noise import RULE
from src.papers.page import WrittenPage, write_page
from src.papers.provenance import list_facts
from src.papers.spread import pool_spreads
from tests.papers.made import make_job, make_record, make_result, make_runs


@pytest.fixture
def written(tmp_path: Path) -> WrittenPage:
    jobs = [make_job("a"), make_job("b", "gmf", 16), make_job("c", "mlp")]
    kept = make_runs(make_record("a", 0.643, 0.371, knows="pairs"), make_record("b", 0.5, 0.3))
    results = [
        make_result("figure4", jobs, kept),
        make_result("table2", [make_job("n", "neumf")], kept),
        make_result("figure7", [make_job("x<y", "gmf", 16)], kept),
    ]
    facts = list_facts(results, "figure4 & more", pool_spreads(results))
    return write_page(tmp_path / "out.html", "Made again", results, facts, kept)


def test_the_page_asks_for_nothing_outside_itself(written: WrittenPage) -> None:
    html = written.page.read_text()
    assert not re.search(r'(src|href)="(?!data:|#|out/)', html)
    assert html.count("<img") == 2  # figure 4, and all numbers beside the published ones
    for link in re.findall(r'href="(out/[^"]+)"', html):
        assert (written.page.parent / link).is_file()
    assert "figure4 &amp; more" in html
    assert ".5000 −.193 ▼" in html


def test_facts_come_from_the_records(written: WrittenPage) -> None:
    text = written.page.with_suffix(".md").read_text()
    assert "- runs: 2 runs, 1.0 h of training" in text
    assert "- made: 2023-11-14" in text
    assert "- commit: c0ffee0" in text
    assert "- models know: pairs" in text
    assert "- settings, leave-one-out: batch size 4096; learning rate 0.005" in text
    assert RULE in text


def test_markdown(written: WrittenPage) -> None:
    text = written.page.with_suffix(".md").read_text()
    assert "| GMF | 8 | .643 | .6430 +.000 ≈ | .371 | .3710 +.000 ≈ |" in text
    assert "| MLP | 8 | .671 | missing | .399 | missing |" in text
    assert "(out/figure4-ncf-ml-1m.png)" in text
    assert "- figure4 on ncf-ml-1m, epoch chosen on validation: 1 of 3 runs" in text
    assert "- figure4, ncf-ml-1m: GMF, factors 16, HR@10 .5000" in text


def test_marks_are_filled(written: WrittenPage, tmp_path: Path) -> None:
    page = tmp_path / "mine.md"
    page.write_text("Before.\n<!-- figure4 -->\nold\n<!-- /figure4 -->\nAfter.\n")
    assert fill_marks(page, written.markdown, written.pictures) == ["figure4"]
    text = page.read_text()
    assert text.startswith("Before.\n<!-- figure4 -->\nMovieLens-1M:")
    assert text.endswith("<!-- /figure4 -->\nAfter.\n")
    assert "old" not in text
    assert (tmp_path / "mine-figure4-ncf-ml-1m.png").is_file()
    assert "(mine-figure4-ncf-ml-1m.png)" in text
    other = tmp_path / "other.md"
    other.write_text("No marks.\n")
    with pytest.raises(UserError, match="it has none of the marks <!-- claims -->"):
        fill_marks(other, written.markdown, written.pictures)


def test_a_mark_without_its_end(tmp_path: Path) -> None:
    page = tmp_path / "mine.md"
    page.write_text("<!-- table2 -->\n")
    with pytest.raises(UserError, match="without <!-- /table2 -->"):
        fill_mark(page, "table2", ["x"])
    assert page.read_text() == "<!-- table2 -->\n"


def test_nothing_finished(tmp_path: Path) -> None:
    results = [make_result("figure4", [make_job("a")], make_runs())]
    assert [fact.name for fact in list_facts(results, "all", {})] == ["asked for"]
    found = write_page(tmp_path / "out.html", "Made again", results, [], make_runs())
    assert found.pictures == {}
    assert "1 of 1 run" in found.page.read_text()

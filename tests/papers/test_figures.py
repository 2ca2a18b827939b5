"""The figures' panels, from records and files made by hand, and their pictures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.papers.figures import format_title, make_panels, measure_cutoffs
from src.reporting.pictures.panels import draw_panels
from tests.papers.made import make_job, make_record, make_result, make_runs
from tests.reporting.pictures.files import png_size, svg_texts


def test_cutoffs_by_hand() -> None:
    found = measure_cutoffs(pd.DataFrame({"rank": [1, 3, 11, 10]}))
    assert found["hr@10"] == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.75]
    assert found["ndcg@10"][0] == 0.25
    # 1 / log2(2) and 1 / log2(4)
    assert found["ndcg@10"][2] == pytest.approx((1 + 0.5) / 4)


def test_figure_4() -> None:
    jobs = [make_job("a", "gmf", 8), make_job("b", "gmf", 16), make_job("k", "itemknn", 0)]
    jobs.append(make_job("p", "itempop", 0))
    kept = make_runs(*(make_record(one.key, 0.6, 0.3) for one in jobs))
    ((hr, ndcg),) = make_panels(make_result("figure4", jobs, kept), kept) or []
    assert (hr.ticks, hr.ylabel, ndcg.ylabel) == ([8, 16, 32, 64], "HR@10", "NDCG@10")
    assert [(c.label, c.published, c.x, c.y) for c in hr.curves] == [
        ("GMF", True, [8, 16, 32, 64], [0.643, 0.693, 0.713, 0.705]),
        ("GMF", False, [8, 16], [0.6, 0.6]),
        ("ItemKNN", True, [], [0.623]),
        ("ItemKNN", False, [], [0.6]),
    ]


def test_figure_5() -> None:
    jobs = [make_job("a"), make_job("b")]
    kept = make_runs(make_record("a", 0.5, 0.3), make_record("b", 0.5, 0.3), a=[1, 1], b=[1, 2])
    ((hr, _),) = make_panels(make_result("figure5", jobs, kept), kept) or []
    published, ours = hr.curves
    assert (published.x, published.y) == ([10], [0.643])
    assert ours.x == list(range(1, 11))
    assert ours.y == [0.75, *[1.0] * 9]
    assert hr.ylabel == "HR@K"


@pytest.mark.parametrize(
    ("protocol", "judged"), [("leave-one-out", "validation"), ("ncf2017", "test")]
)
def test_figure_6(protocol: str, judged: str) -> None:
    jobs = [make_job("a")]
    kept = make_runs(make_record("a", 0.5, 0.3))
    ((loss, hr, _),) = make_panels(make_result("figure6", jobs, kept, protocol), kept) or []
    assert [(c.x, c.y) for c in loss.curves] == [([1, 2], [0.5, 0.4])]
    assert hr.ylabel == f"HR@10 on {judged}"
    # the published level is of test
    levels = [c.y for c in hr.curves if c.published]
    assert levels == ([[0.643]] if protocol == "ncf2017" else [])


def test_figure_6_has_every_seed_thin_and_their_mean() -> None:
    jobs = [make_job("a"), make_job("b")]
    kept = make_runs(make_record("a", 0.5, 0.3), make_record("b", 0.5, 0.3))
    ((loss, _, _),) = make_panels(make_result("figure6", jobs, kept), kept) or []
    assert [(c.y, c.thin) for c in loss.curves] == [
        ([0.5, 0.4], True),
        ([0.5, 0.4], True),
        ([0.5, 0.4], False),
    ]


def test_figure_7_keeps_its_place_on_the_axis() -> None:
    jobs = [make_job(f"n{n}", "mlp", 16, negatives=n) for n in (10, 1)]
    kept = make_runs(*(make_record(one.key, 0.6, 0.3) for one in jobs))
    ((hr, _),) = make_panels(make_result("figure7", jobs, kept), kept) or []
    assert hr.ticks == [1, 2, 4, 6, 8, 10]
    published, ours = hr.curves
    assert published.y == [0.654, 0.674, 0.680, 0.682, 0.681, 0.687]
    assert ours.x == [1, 10]


def test_points_stand_in_the_order_of_their_settings() -> None:
    # the one with a published number is the table's first row
    jobs = [make_job(f"f{factors}", "mf", factors) for factors in (192, 8)]
    kept = make_runs(*(make_record(one.key, 0.6, 0.3) for one in jobs))
    ((hr, _),) = make_panels(make_result("rendle2020-factors", jobs, kept), kept) or []
    assert [c.x for c in hr.curves if c.label == "MF"] == [[192], [8, 192]]


def test_no_run_no_figure() -> None:
    assert make_panels(make_result("figure4", [make_job("a")], make_runs()), make_runs()) is None
    made = make_runs(make_record("t", 0.6, 0.3))
    assert make_panels(make_result("table2", [make_job("t", "neumf")], made), made) is None


def test_the_picture(tmp_path: Path) -> None:
    jobs = [make_job("a"), make_job("b", "gmf", 16)]
    kept = make_runs(make_record("a", 0.6, 0.3), make_record("b", 0.6, 0.3))
    found = make_result("figure4", jobs, kept)
    panels = make_panels(found, kept)
    assert panels is not None
    draw_panels(tmp_path / "figure.png", format_title(found), [*panels, *panels])
    width, height = png_size(tmp_path / "figure.png")
    assert width > height > 500
    draw_panels(tmp_path / "figure.svg", format_title(found), panels)
    texts = svg_texts(tmp_path / "figure.svg")
    assert {"GMF", "published", "HR@10", "NDCG@10", "predictive factors"} <= set(texts)
    assert "He et al. 2017, figure 4: HR@10 and NDCG@10 by predictive factors" in " ".join(texts)

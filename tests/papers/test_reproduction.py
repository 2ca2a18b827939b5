"""Rows beside published numbers, from records made by hand."""

from __future__ import annotations

import pytest

from src.papers.exhibits import THINGS
from src.papers.reproduction import block_of, error_of, test_metric
from src.papers.sweeps import Request
from src.papers.table_text import (
    MARKS,
    compared,
    frame,
    heads_of,
    largest,
    lines_of,
    missing,
    overview,
)
from tests.papers.made import block, job, record, store

test_metric.__test__ = False  # type: ignore[attr-defined]


def test_the_selected_epoch_of_a_run_chosen_on_test() -> None:
    chosen_there = record("a", hr=0.6, ndcg=0.3)
    chosen_there.metrics["best/test/hr@10"] = 0.7
    assert test_metric(chosen_there, "hr@10") == 0.7
    assert test_metric(chosen_there, "ndcg@10") == 0.3


def test_standard_error_comes_from_the_users() -> None:
    # 50 hits of 100 users: sqrt(.25 / 99)
    one = record("a", 0.6, 0.3)
    assert error_of(store(one), one, "hr@10") == pytest.approx((0.25 / 99) ** 0.5)


def test_rows_of_table_2() -> None:
    jobs = [
        job("s0", "neumf", 8),
        job("s1", "neumf", 8, seed_of=1),
        job("p0", "neumf-pretrained", 8),
        job("p4", "neumf-pretrained", 4),
    ]
    kept = store(
        record("s0", 0.68, 0.40),
        record("s1", 0.70, 0.42, seed=1),
        record("p0", 0.50, 0.403),
        record("p4", 0.6, 0.3),
    )
    found = block("table2", jobs, kept)
    # in the order of the paper, then what the paper does not have
    keys = [("neumf", 8), ("neumf-pretrained", 8), ("neumf-pretrained", 4)]
    assert [row.key for row in found.rows] == keys
    scratch, _, unpublished = found.rows
    assert scratch.published == (0.688, 0.410)
    assert scratch.cells["leave-one-out"].measured["hr@10"].mean == pytest.approx(0.69)
    assert unpublished.published is None
    assert [cell.text for cell in lines_of(found)[0]] == [
        "NeuMF, from scratch",
        "8",
        ".688",
        f".6900 ± .0141 +.002 {MARKS['within']}",
        ".410",
        f".4100 ± .0141 +.000 {MARKS['within']}",
    ]
    assert [cell.text for cell in lines_of(found)[1]][2:] == [
        ".684",
        f".5000 −.184 {MARKS['below']}",
        ".403",
        f".4030 +.000 {MARKS['within']}",
    ]
    assert [cell.text for cell in lines_of(found)[2]][2:] == ["", ".6000", "", ".3000"]
    assert heads_of(found)[:4] == [
        "system",
        "factors",
        "HR@10 published",
        "HR@10, chosen on validation",
    ]
    verdicts = [one.difference.verdict for one in compared(found)]
    assert verdicts == ["within", "within", "below", "within"]
    (large,) = largest([found])
    assert str(large) == (
        "table2, ncf-ml-1m: NeuMF, pre-trained, factors 8, HR@10 .5000, epoch chosen on "
        "validation; published .684: −.184"
    )
    assert overview([found]) == [["table2", "ncf-ml-1m", "validation", "4", "3", "0", "1"]]
    assert missing([found]) == []


def test_what_is_missing_is_said() -> None:
    jobs = [job("a", "gmf"), job("b", "gmf"), job("c", "mlp"), job("d", "neumf")]
    kept = store(record("a", 0.64, 0.37), record("d", 0.0, 0.0, error="no memory"))
    found = block("figure6", jobs, kept)
    assert [cell.text for cell in lines_of(found)[0]][2] == ".6400 (1 of 2 seeds) −.003 ≈"
    assert [[cell.kind for cell in line][2] for line in lines_of(found)[1:]] == ["missing"] * 2
    assert missing([found]) == [
        "figure6 on ncf-ml-1m, epoch chosen on validation: 3 of 4 runs",
        "figure6: no memory",
    ]
    assert overview([found])[0][3] == "1 of 4"
    assert found.missing == 3


def test_models_that_are_not_here_are_said_to_be_missing() -> None:
    found = block("dacrema2021", [job("e", "ease")], store(record("e", 0.7192, 0.4494)))
    assert len(found.rows) == len(THINGS["dacrema2021"].published["ncf-ml-1m"])
    by_name = {line[0].text: [cell.text for cell in line] for line in lines_of(found)}
    assert by_name["EASE"][2] == ".7192 +.000 ≈"
    assert by_name["SLIM-BPR"][1:] == [".7002", "not here", ".4258", "not here"]
    assert any("SLIM-BPR" in line and "EASE" not in line for line in missing([found]))


def test_only_the_models_asked_for() -> None:
    request = Request(["ncf-ml-1m"], ["leave-one-out"], models=["ease"])
    found = block_of(THINGS["dacrema2021"], "ncf-ml-1m", [], request, store())
    assert found.rows == []


def test_the_numbers_as_a_table() -> None:
    found = block("figure4", [job("i", "itempop", 0)], store(record("i", 0.454, 0.25)))
    (hr, ndcg) = frame(found).to_dict("records")
    assert (hr["system"], hr["factors"], hr["metric"]) == ("itempop", 0, "hr@10")
    assert (hr["published"], hr["ours"], hr["verdict"]) == (0.454, 0.454, "within")
    assert ndcg["difference"] == pytest.approx(-0.004)
    # a system without factors has none to be named
    assert lines_of(found)[0][1].text == "–"


def test_layers_may_be_none() -> None:
    none = job("m", "mlp")
    none.options["model"]["num_layers"] = 0
    found = block("tables3-4", [none], store(record("m", 0.452, 0.253)))
    assert [cell.text for cell in lines_of(found)[0]][:2] == ["0", "8"]

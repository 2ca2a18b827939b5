"""Rows beside published numbers, from records made by hand."""

from __future__ import annotations

import pytest

from src.papers.exhibits import EXHIBITS
from src.papers.reproduction import RecordedRuns, collect_result, get_test_metric
from src.papers.request import PaperRequest
from src.papers.table_text import (
    MARKS,
    compare_numbers,
    find_largest_differences,
    format_overview,
    format_rows,
    list_headings,
    list_missing,
    list_numbers,
    make_frame,
    summarize_numbers,
)
from tests.papers.made import Shelf, make_job, make_record, make_result, make_runs


def test_the_selected_epoch_of_a_run_chosen_on_test() -> None:
    chosen_there = make_record("a", hr=0.6, ndcg=0.3)
    chosen_there.metrics["best/test/hr@10"] = 0.7
    assert get_test_metric(chosen_there, "hr@10") == 0.7
    assert get_test_metric(chosen_there, "ndcg@10") == 0.3


def test_standard_error_comes_from_the_users() -> None:
    found = make_result("figure6", [make_job("a")], make_runs(make_record("a", 0.6, 0.3)))
    # 50 hits of 100 users: sqrt(.25 / 99)
    measured = found.rows[0].runs["leave-one-out"].measured["hr@10"]
    assert measured.error == pytest.approx((0.25 / 99) ** 0.5)


def test_a_run_without_results_by_user_is_missing() -> None:
    record = make_record("a", 0.64, 0.37)
    kept = RecordedRuns({"a": (Shelf({}), record)})
    found = make_result("figure6", [make_job("a")], kept)
    assert [cell.text for cell in format_rows(found)[0]][2] == "missing"
    assert list_missing([found]) == [
        "figure6 on ncf-ml-1m, epoch chosen on validation: 1 of 1 run",
        "figure6: a: its results by user are gone",
    ]


def test_rows_of_table_2() -> None:
    jobs = [
        make_job("s0", "neumf", 8),
        make_job("s1", "neumf", 8, seed_of=1),
        make_job("p0", "neumf-pretrained", 8),
        make_job("p4", "neumf-pretrained", 4),
    ]
    kept = make_runs(
        make_record("s0", 0.68, 0.40),
        make_record("s1", 0.70, 0.42, seed=1),
        make_record("p0", 0.50, 0.403),
        make_record("p4", 0.6, 0.3),
    )
    found = make_result("table2", jobs, kept)
    # in the order of the paper, then what the paper does not have
    keys = [("neumf", 8), ("neumf-pretrained", 8), ("neumf-pretrained", 4)]
    assert [row.key for row in found.rows] == keys
    scratch, _, unpublished = found.rows
    assert scratch.published == (0.688, 0.410)
    assert scratch.runs["leave-one-out"].measured["hr@10"].mean == pytest.approx(0.69)
    assert unpublished.published is None
    assert [cell.text for cell in format_rows(found)[0]] == [
        "NeuMF, from scratch",
        "8",
        ".688",
        f".6900 ± .0141 +.002 {MARKS['within']}",
        ".410",
        f".4100 ± .0141 +.000 {MARKS['within']}",
    ]
    assert [cell.text for cell in format_rows(found)[1]][2:] == [
        ".684",
        f".5000 −.184 {MARKS['below']}",
        ".403",
        f".4030 +.000 {MARKS['within']}",
    ]
    assert [cell.text for cell in format_rows(found)[2]][2:] == ["", ".6000", "", ".3000"]
    assert list_headings(found)[:4] == [
        "system",
        "factors",
        "HR@10 published",
        "HR@10, chosen on validation",
    ]
    verdicts = [one.difference.verdict for one in compare_numbers(found)]
    assert verdicts == ["within", "within", "below", "within"]
    (large,) = find_largest_differences([found])
    assert str(large) == (
        "table2, ncf-ml-1m: NeuMF, pre-trained, factors 8, HR@10 .5000, epoch chosen on "
        "validation; published .684: −.184"
    )
    assert summarize_numbers([found]) == [
        "Epoch chosen on validation: of 4 numbers 3 within noise, 0 above, 1 below; "
        "the median difference is −.091 of HR@10 and +.000 of NDCG@10."
    ]
    assert format_overview([found]) == [["table2", "ncf-ml-1m", "validation", "4", "3", "0", "1"]]
    assert list_missing([found]) == []


def test_what_is_missing_is_said() -> None:
    jobs = [
        make_job("a", "gmf"),
        make_job("b", "gmf"),
        make_job("c", "mlp"),
        make_job("d", "neumf"),
    ]
    kept = make_runs(make_record("a", 0.64, 0.37), make_record("d", 0.0, 0.0, error="no memory"))
    found = make_result("figure6", jobs, kept)
    assert [cell.text for cell in format_rows(found)[0]][2] == ".6400 (1 of 2 seeds) −.003 ≈"
    assert [[cell.kind for cell in line][2] for line in format_rows(found)[1:]] == ["missing"] * 2
    assert list_missing([found]) == [
        "figure6 on ncf-ml-1m, epoch chosen on validation: 3 of 4 runs",
        "figure6: no memory",
    ]
    assert format_overview([found])[0][3] == "1 of 4"


def test_models_that_are_not_here_are_said_to_be_missing() -> None:
    found = make_result(
        "dacrema2021", [make_job("e", "ease")], make_runs(make_record("e", 0.7192, 0.4494))
    )
    assert len(found.rows) == len(EXHIBITS["dacrema2021"].published["ncf-ml-1m"])
    by_name = {line[0].text: [cell.text for cell in line] for line in format_rows(found)}
    assert by_name["EASE"][2] == ".7192 +.000 ≈"
    assert by_name["SLIM-BPR"][1:] == [".7002", "not here", ".4258", "not here"]
    assert any("SLIM-BPR" in line and "EASE" not in line for line in list_missing([found]))


def test_only_the_models_asked_for() -> None:
    revisit = EXHIBITS["dacrema2021"]
    request = PaperRequest([revisit], ["ncf-ml-1m"], ["leave-one-out"], models=["ease"])
    found = collect_result(revisit, "ncf-ml-1m", [], request, make_runs())
    assert found.rows == []


def test_numbers_that_happen_to_be_the_same_count_each() -> None:
    jobs = [make_job("a", "gmf", 16, negatives=8), make_job("b", "mlp", 16, negatives=8)]
    kept = make_runs(make_record("a", 0.5, 0.4), make_record("b", 0.5, 0.4))
    both = make_result("figure7", jobs, kept)
    assert len(list_numbers([both])) == 4
    # but the same run in two tables once
    assert len(list_numbers([both, both])) == 4


def test_what_a_number_is_of() -> None:
    one = make_job("m", "mlp")
    one.options["model"]["num_layers"] = 2
    (number, _) = list_numbers(
        [make_result("tables3-4", [one], make_runs(make_record("m", 0.6, 0.3)))]
    )
    assert number.label == "MLP, layers 2, factors 8"


def test_the_numbers_as_a_table() -> None:
    found = make_result(
        "figure4", [make_job("i", "itempop", 0)], make_runs(make_record("i", 0.454, 0.25))
    )
    (hr, ndcg) = make_frame(found).to_dict("records")
    assert (hr["system"], hr["factors"], hr["metric"]) == ("itempop", 0, "hr@10")
    assert (hr["published"], hr["ours"], hr["verdict"]) == (0.454, 0.454, "within")
    assert ndcg["difference"] == pytest.approx(-0.004)
    # a system without factors has none to be named
    assert format_rows(found)[0][1].text == "–"


def test_layers_may_be_none() -> None:
    none = make_job("m", "mlp")
    none.options["model"]["num_layers"] = 0
    found = make_result("tables3-4", [none], make_runs(make_record("m", 0.452, 0.253)))
    assert [cell.text for cell in format_rows(found)[0]][:2] == ["0", "8"]

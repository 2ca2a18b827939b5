"""From runs' files to what is drawn and tested."""

from __future__ import annotations

from math import log2

import pandas as pd
import pytest

from src.reporting.comparison import picture_data
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.pairs import compare_pairs
from tests.reporting.comparison.runs import Shelf, judged, record, tables


def test_users_are_matched_by_raw_id_and_seeds_averaged() -> None:
    runs = [record(seed=0), record(seed=1), record(model__name="mf"), record(model__name="none")]
    shelf = Shelf(
        {
            run.run_id: {"per_user.parquet": pd.DataFrame({"user": users, "ndcg@10": values})}
            for run, users, values in zip(
                runs,
                (["a", "b", "c"], ["c", "b", "a"], ["b", "c", "d"]),
                ([0.0, 0.2, 0.4], [0.8, 0.6, 0.0], [0.1, 0.3, 0.9]),
                strict=False,
            )
        }
    )
    found = picture_data.collect_by_user(shelf, group_runs(runs), "ndcg@10")
    assert {name: values.tolist() for name, values in found.items()} == {
        "gmf": pytest.approx([0.4, 0.6]),
        "mf": [0.1, 0.3],
    }
    assert picture_data.collect_by_user(shelf, group_runs(runs), "hr@10") == {}


def test_cutoffs_by_hand() -> None:
    run = record()
    shelf = Shelf({run.run_id: tables([1, 3, 50], [0.5], "val/ndcg@10")})
    table = picture_data.compute_cutoffs(shelf, group_runs([run])).set_index("k")
    assert table["hr"][[1, 2, 3, 10]].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert table["ndcg"][[1, 3]].tolist() == pytest.approx([1 / 3, (1 + 1 / log2(4)) / 3])


def test_several_targets_of_a_user_stand_in_one_list_of_the_catalogue() -> None:
    run = record(data__candidates="all")
    ranks = pd.DataFrame({"user": ["a", "a"], "item": ["x", "y"], "rank": [1, 1]})
    shelf = Shelf({run.run_id: {"ranks.parquet": ranks}})
    table = picture_data.compute_cutoffs(shelf, group_runs([run])).set_index("k")
    assert table["ndcg"][[1, 2]].tolist() == pytest.approx([1, 1])
    assert table["hr"][1] == 1


def test_epochs_count_from_one() -> None:
    run = record()
    shelf = Shelf({run.run_id: tables([1], [0.5, 0.4], "val/ndcg@10")})
    table = picture_data.collect_epochs(shelf, group_runs([run]), "val/ndcg@10")
    assert table["epoch"].tolist() == [1, 2]
    assert table["metric"].tolist() == pytest.approx([0.1, 0.15])
    assert table["loss"].tolist() == [0.5, 0.4]
    assert len(picture_data.collect_epochs(Shelf({}), group_runs([run]), "val/ndcg@10")) == 0


def test_the_best_on_validation_stands_for_an_option_s_value() -> None:
    runs = [
        record(judged(test, val), model__factors=factors, data__negatives=negatives)
        for factors, negatives, test, val in (
            (8, 2, 0.9, 0.1),
            (8, 4, 0.3, 0.2),
            (16, 2, 0.5, 0.4),
            (16, 4, 0.6, 0.3),
        )
    ]
    found = Comparison(group_runs(runs))
    assert picture_data.find_numeric_options(found) == ["model.factors", "data.negatives"]
    table = picture_data.tabulate_option(found, "model.factors")
    assert table[["value", "mean"]].to_numpy().tolist() == [[8, 0.3], [16, 0.5]]
    assert table["configuration"].tolist() == [
        "gmf factors=8 negatives=4",
        "gmf factors=16 negatives=2",
    ]


def test_an_option_s_line_does_not_go_from_one_data_set_to_another() -> None:
    runs = [
        record(
            judged(0.3, 0.2),
            model__factors=factors,
            data__name=data,
            tags={"data_fingerprint": data * 8},
        )
        for data in ("one", "two")
        for factors in (8, 16)
    ]
    table = picture_data.tabulate_option(Comparison(group_runs(runs)), "model.factors")
    assert table[["series", "value"]].to_numpy().tolist() == [
        ["gmf, one", 8],
        ["gmf, one", 16],
        ["gmf, two", 8],
        ["gmf, two", 16],
    ]


def test_series_are_named_by_what_they_differ_in() -> None:
    def names(*runs: dict[str, str]) -> set[str]:
        found = Comparison(
            group_runs(
                [
                    record(judged(0.3, 0.2), tags={"data_fingerprint": run.pop("print")}, **run)
                    for run in runs
                ]
            )
        )
        return set(map(found.series_of, found.configurations))

    assert names({"print": "a"}, {"print": "a", "model__factors": "9"}) == {"gmf"}
    assert names({"print": "abcdef1"}, {"print": "bcdefa2"}) == {"gmf, abcdef", "gmf, bcdefa"}
    found = names({"print": "a"}, {"print": "a", "data__candidates": "all"})
    assert found == {"gmf, 99 candidates", "gmf, the whole catalogue"}


def test_only_what_can_be_compared_is_tested() -> None:
    names = ("gmf", "mlp", "mf")
    runs = [record(judged(0.3, 0.2), model__name=name) for name in names]
    other = record(judged(0.9, 0.9), model__name="ease", data__candidates="all")
    files = {run.run_id: tables([1, 2, 3, 40], [0.1], "val/ndcg@10") for run in (*runs, other)}
    pairs = compare_pairs(Shelf(files), Comparison(group_runs([*runs, other])), "ndcg@10")
    assert pairs is not None
    assert pairs.names == set(names)
    assert (pairs.users, len(pairs.table), pairs.significant) == (4, 3, 0)
    one, other_way = pairs.find_pair("gmf", "mlp"), pairs.find_pair("mlp", "gmf")
    assert (one["low"], one["high"]) == (-other_way["high"], -other_way["low"])
    with pytest.raises(KeyError):
        pairs.find_pair("gmf", "ease")


def test_groups() -> None:
    metrics = {
        "test/users-q1/hr@10": 0.5,
        "test/users-q1/ndcg@10": 0.3,
        "test/items-tail/hr@10": 0.2,
        "test/items-tail/ndcg@10": 0.1,
    }
    runs = [record(metrics, seed=0), record(judged(0.4, 0.3), model__name="mf")]
    table = picture_data.tabulate_groups(group_runs(runs), ["items-tail", "users-q1"])
    assert table.to_numpy().tolist() == [
        ["gmf", "0", "items-tail", 0.2, 0.1],
        ["gmf", "0", "users-q1", 0.5, 0.3],
    ]

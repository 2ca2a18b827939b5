"""The order, the choice and the table, from literal metrics."""

from __future__ import annotations

import pytest

from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.tables import list_columns, tabulate_configurations
from src.tracking.reading import Record
from tests.reporting.comparison.runs import judged, record


def comparison(*runs: Record) -> Comparison:
    return Comparison(group_runs(runs))


def test_mean_and_sd_over_seeds() -> None:
    found = comparison(
        record(judged(0.40, 0.30), seed=0),
        record(judged(0.44, 0.32), seed=1),
        record(judged(0.50, 0.10), model__name="mf"),
    )
    table = tabulate_configurations(found)
    assert table["configuration"].tolist() == ["mf", "gmf"]
    gmf = table.iloc[1]
    assert gmf["test/ndcg@10"] == pytest.approx(0.42)
    assert gmf["test/ndcg@10 sd"] == pytest.approx(0.02 * 2**0.5)
    assert gmf["val/ndcg@10"] == pytest.approx(0.31)
    assert (gmf["seeds"], gmf["n"]) == ("0 1", 2)
    assert table["test/ndcg@10 sd"].isna().tolist() == [True, False]


def test_validation_chooses_not_test() -> None:
    found = comparison(
        record(judged(0.4, 0.3)), record(judged(0.3, 0.5), model__factors=16, seed=0)
    )
    assert [one.label for one in found.configurations] == ["gmf factors=8", "gmf factors=16"]
    assert found.chosen is found.configurations[1]
    assert tabulate_configurations(found)["chosen_by_validation"].tolist() == [False, True]


def test_time_counts_training_again() -> None:
    metrics = judged(0.4, 0.3, **{"refit/seconds": 5.0})
    assert tabulate_configurations(comparison(record(metrics)))["fit/seconds"].tolist() == [15.0]


def test_errors_are_better_when_less() -> None:
    found = comparison(
        *(
            record(
                {"test/rmse": rmse, "best/val/rmse": rmse, **judged(1 - rmse / 2, 0)},
                model__name=model,
                protocol__monitor="val/rmse",
            )
            for model, rmse in (("mf", 0.95), ("svdpp", 0.91))
        )
    )
    assert found.quality == "test/rmse"
    assert [one.model for one in found.configurations] == ["svdpp", "mf"]
    assert found.chosen is found.configurations[0]
    assert [m.better for m in list_columns(found)][:2] == [-1, 1]


def test_epochs_chosen_on_test() -> None:
    metrics = {"test/hr@10": 0.1, "best/test/hr@10": 0.6, "best/test/ndcg@10": 0.4}
    found = comparison(
        *(record(metrics, protocol__monitor="test/hr@10", model__factors=n) for n in (8, 16))
    )
    assert found.chosen is None
    assert found.configurations[0].mean("test/hr@10") == 0.6


def test_without_test_validation_orders() -> None:
    found = comparison(*(record({"best/val/ndcg@10": 0.1 * n}, model__factors=n) for n in (1, 2)))
    assert found.quality == "val/ndcg@10"
    assert found.configurations[0].label == "gmf factors=2"


def test_other_cutoffs() -> None:
    found = comparison(record({"test/ndcg@5": 0.3, "test/ndcg@1": 0.1, "test/hr@5": 0.4}))
    assert found.quality == "test/ndcg@5"
    assert [m.title for m in list_columns(found)] == ["HR@5", "NDCG@5"]


def test_other_candidates_can_not_be_compared() -> None:
    runs = (record(judged(0.4, 0.3)), record(judged(0.1, 0.1), data__candidates="all"))
    found = comparison(*runs)
    assert not found.comparable
    assert found.chosen is None


def test_the_foremost_are_the_best_of_each_model_first() -> None:
    runs = [
        record(judged(0.1, val, **{}), model__name=model, model__factors=factors)
        for model, factors, val in (
            ("gmf", 8, 0.5),
            ("gmf", 16, 0.4),
            ("mlp", 8, 0.1),
            ("mlp", 16, 0.2),
            ("mf", 8, 0.05),
        )
    ]
    found = comparison(*runs)
    names = {one.label for one in found.choose_foremost(4)}
    assert names == {"gmf factors=8", "mlp factors=16", "mf factors=8", "gmf factors=16"}


def test_nothing() -> None:
    found = comparison()
    assert (found.configurations, found.chosen, list_columns(found)) == ([], None, [])


def test_energy_has_a_column_where_it_was_measured() -> None:
    metrics = judged(0.4, 0.3, **{"fit/energy_wh": 0.0123456})
    columns = list_columns(comparison(record(metrics)))
    (energy,) = [column for column in columns if column.name == "fit/energy_wh"]
    assert (energy.title, energy.write(0.0123456, None)) == ("energy, Wh", "0.0123")
    assert "energy, Wh" not in [c.title for c in list_columns(comparison(record(judged(0.4, 0.3))))]

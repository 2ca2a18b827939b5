"""Metrics of the user's own in the table of configurations, from what runs say of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.comparison_page import write_report
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.run_metrics import RunMetrics
from src.reporting.comparison.tables import fill_rows, list_columns, tabulate_configurations
from src.tracking.reading import Record
from tests.reporting.comparison.runs import Shelf, judged, record

OWN = {
    "novel": {"label": "Novel", "lower_is_better": False},
    "effort": {"label": "Effort of users", "lower_is_better": True},
    "spread": {"label": "Spread", "lower_is_better": False},
    "unused": {"label": "Unused", "lower_is_better": False},
}


def own_run(model: str, novel: float, effort: float, **params: str) -> Record:
    metrics = {
        "test/novel@5": 0.9,
        "test/novel@10": novel,
        "test/full/novel@10": novel / 2,
        "test/effort": effort,
        "test/full/spread@10": 0.25,  # of whole lists, so among all unseen items alone
        "best/val/effort": effort,
    }
    tags = {"metrics": json.dumps(OWN)}
    return record(judged(0.4, 0.3, **metrics), tags=tags, model__name=model, **params)


@pytest.fixture
def found() -> Comparison:
    runs = [
        own_run("gmf", 0.2, 3.0),
        own_run("mlp", 0.6, 5.0),
        record(judged(0.3, 0.2), model__name="mf"),  # knows nothing of them
    ]
    return Comparison(group_runs(runs))


def test_columns_follow_those_of_ndcg(found: Comparison) -> None:
    assert [(c.name, c.title, c.better) for c in list_columns(found)][1:7] == [
        ("test/ndcg@10", "NDCG@10", 1),
        ("test/full/ndcg@10", "NDCG@10, all unseen", 1),
        ("test/novel@10", "Novel@10", 1),
        ("test/effort", "Effort of users", -1),
        ("test/full/spread@10", "Spread@10, all unseen", 1),
        ("val/ndcg@10", "validation NDCG@10", 1),
    ]


def test_the_best_is_what_the_run_says(found: Comparison) -> None:
    columns = list_columns(found)
    cells = {
        row.name: dict(zip(columns, row.cells, strict=True)) for row in fill_rows(found, columns)
    }
    novel, effort = columns[3:5]
    assert (cells["gmf"][novel].text, cells["gmf"][novel].best) == (".2000", False)
    assert (cells["mlp"][novel].text, cells["mlp"][novel].best) == (".6000", True)
    assert (cells["gmf"][effort].text, cells["gmf"][effort].best) == ("3.0000", True)
    assert (cells["mf"][novel].text, cells["mf"][novel].order) == ("", float("-inf"))
    table = tabulate_configurations(found).set_index("model")
    assert table["test/novel@10"][["gmf", "mlp"]].tolist() == [0.2, 0.6]


def test_epochs_may_be_chosen_by_an_own_error() -> None:
    runs = [own_run(m, 0.2, e, protocol__monitor="val/effort") for m, e in (("a", 2.0), ("b", 1.0))]
    found = Comparison(group_runs(runs))
    assert found.chosen is not None
    assert found.chosen.model == "b"
    assert found.selector_label == "Effort of users on validation"
    titles = [column.title for column in list_columns(found)]
    assert "validation Effort of users" in titles


def test_on_the_page(tmp_path: Path) -> None:
    runs = [own_run("gmf", 0.2, 3.0), own_run("mlp", 0.6, 5.0)]
    page, *_ = write_report(Shelf({}), runs, "own", tmp_path / "own.html")
    html = page.read_text()
    assert "<button>Novel@10</button>" in html
    assert '<td data-order="0.6" class="best">.6000</td>' in html


@pytest.mark.parametrize("tag", ["", "no JSON {", "[]", '{"novel": 3}'])
def test_a_tag_that_says_something_else(tag: str) -> None:
    run = record(judged(0.4, 0.3), tags={"metrics": tag})
    assert RunMetrics([run]).own == {}

"""The tables of runs that MLflow's pages offer."""

from __future__ import annotations

import json

import pytest

from src.run.run_views import view_all, view_search, view_sweep
from src.tracking.views import ALL_RUNS, View, encode_view

RANKED = {"protocol": {"monitor": "val/ndcg@10"}, "tracking": {"experiment": "ml-1m"}}
SWEPT = {**RANKED, "model": {"name": "gmf", "factors": 8}, "seed": 0}


def state_of(view: View) -> dict[str, object]:
    encoded = json.loads(encode_view(view))
    return {"name": encoded["name"], **json.loads(encoded["state"])}


def test_all_runs_have_validation_and_test_first() -> None:
    view = view_all(RANKED)
    assert view.key == ALL_RUNS
    state = state_of(view)
    assert state["name"] == "all runs of ml-1m"
    assert state["selectedColumns"][:4] == [  # type: ignore[index]
        "metrics.`best/val/ndcg_at_10`",
        "metrics.`test/ndcg_at_10`",
        "metrics.`test/hr_at_10`",
        "metrics.`fit/seconds`",
    ]
    assert state["orderByKey"] == "metrics.`best/val/ndcg_at_10`"
    assert state["orderByAsc"] is False
    # curves of hundreds of runs would take the page minutes
    assert state["runsHiddenMode"] == "FIRST_20_RUNS"


def test_a_sweep_s_jobs_with_what_was_swept() -> None:
    view = view_sweep("grid", SWEPT, ["model", "model.factors"])
    assert view.key == ""
    state = state_of(view)
    assert state["searchFilter"] == 'tags.sweep = "grid" and tags.job != ""'
    assert state["selectedColumns"][-2:] == ["params.`model.name`", "params.`model.factors`"]  # type: ignore[index]
    assert state["runsHiddenMode"] == "SHOW_ALL"


def test_a_search_knows_nothing_of_test() -> None:
    view = view_search("find", RANKED, ["optimizer.lr"])
    assert view.metrics == ["best/val/ndcg@10", "fit/seconds"]
    assert view.params == ["optimizer.lr"]
    assert view.condition == 'tags.sweep = "find" and tags.trial != ""'


@pytest.mark.parametrize(
    ("monitor", "metrics", "ascending"),
    [
        (
            "val/rmse",
            ["best/val/rmse", "best/val/ndcg@10", "test/rmse", "test/ndcg@10", "test/hr@10"],
            True,
        ),
        ("test/hr@10", ["best/test/hr@10", "best/test/ndcg@10"], False),
    ],
)
def test_what_chooses_comes_first(monitor: str, metrics: list[str], ascending: bool) -> None:
    view = view_all({**RANKED, "protocol": {"monitor": monitor}})
    assert view.metrics == [*metrics, "fit/seconds"]
    assert (view.order, view.ascending) == (metrics[0], ascending)

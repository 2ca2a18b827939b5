"""Which runs are one configuration, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest

from src.reporting.comparison.configuration_names import shorten_options
from src.reporting.comparison.configurations import group_runs
from tests.reporting.comparison.runs import record


def labels(*runs: dict[str, Any]) -> list[str]:
    return [one.label for one in group_runs([record(**run) for run in runs])]


def test_seeds_are_one_configuration() -> None:
    runs = [record(seed=seed) for seed in (2, 0, 1)]
    (one,) = group_runs(runs)
    assert (one.label, one.mark, one.seeds, one.options) == ("gmf", "gmf", [0, 1, 2], {})


def test_a_grid() -> None:
    grid = [
        {"model__name": model, "model__factors": factors, "data__negatives": negatives}
        for model in ("gmf", "neumf")
        for factors in (8, 16)
        for negatives in (2, 4)
    ]
    assert labels(*grid)[:3] == [
        "gmf factors=8 negatives=2",
        "gmf factors=8 negatives=4",
        "gmf factors=16 negatives=2",
    ]
    assert labels(*grid)[-1] == "neumf factors=16 negatives=4"


def test_factors_are_named_wherever_they_differ() -> None:
    runs = ({"model__factors": 8}, {"model__name": "mf", "model__factors": 64})
    assert labels(*runs) == ["gmf factors=8", "mf factors=64"]


def test_what_follows_from_the_model_is_not_named() -> None:
    runs = (
        {"data__negatives": 4, "optimizer__lr": 0.001},
        {"model__name": "mf", "data__negatives": 8, "optimizer__lr": 0.002},
    )
    assert labels(*runs) == ["gmf", "mf"]
    assert [one.options for one in group_runs([record(**run) for run in runs])] == [
        {"model.name": "gmf", "data.negatives": "4", "optimizer.lr": "0.001"},
        {"model.name": "mf", "data.negatives": "8", "optimizer.lr": "0.002"},
    ]


def test_a_loss_and_what_comes_with_it() -> None:
    runs = (
        {"loss___target_": "src.training.losses.BCE"},
        {"loss___target_": "src.training.losses.Hinge", "loss__margin": 1.0},
    )
    assert labels(*runs) == ["gmf loss=BCE", "gmf loss=Hinge"]


@pytest.mark.parametrize(
    "key",
    [
        "tracking.uri",
        "data.root",
        "data.path",
        "data.cache",
        "data.source.root",
        "data.source.path",
        "trainer.threads",
        "trainer.accelerator",
        "trainer.devices",
        "sweep.name",
    ],
)
def test_what_machines_differ_in(key: str) -> None:
    name = key.replace(".", "__")
    assert labels({name: "here", "seed": 0}, {name: "there", "seed": 1}) == ["gmf"]


def test_folders_of_pretrained_runs() -> None:
    pretrained = {"model__pretrained__gmf": "runs/1", "model__pretrained__mlp": "runs/2"}
    others = {"model__pretrained__gmf": "runs/3", "model__pretrained__mlp": "runs/4", "seed": 1}
    scratch = {"model__pretrained__gmf": "None", "model__pretrained__mlp": "None"}
    assert labels(pretrained, others, scratch) == ["gmf pretrained=gmf+mlp", "gmf pretrained=no"]


def test_layers_are_counted() -> None:
    runs = [
        record(model__name="mlp", model__num_layers=2, model__layers="None"),
        record(model__name="mlp", model__num_layers=3, model__layers="[64, 32, 16, 8, 8]"),
    ]
    few, many = group_runs(runs)
    assert (few.options["model.num_layers"], many.options["model.num_layers"]) == ("2", "4")
    assert many.label == "mlp layers=[64,32,16,8,8] num_layers=4"


def test_fractions_are_short_unless_that_would_confuse() -> None:
    assert labels({"optimizer__lr": 0.00123456}, {"optimizer__lr": 0.002}) == [
        "gmf lr=0.001235",
        "gmf lr=0.002",
    ]
    assert labels({"optimizer__lr": 0.00123456}, {"optimizer__lr": 0.00123457})[0] == (
        "gmf lr=0.00123456"
    )


def test_other_data_is_another_configuration() -> None:
    runs = [record(tags={"data_fingerprint": digit * 64}) for digit in "ab"]
    assert [one.label for one in group_runs(runs)] == [
        "gmf fingerprint=aaaaaa",
        "gmf fingerprint=bbbbbb",
    ]
    assert labels({"data__name": "toy"}, {"data__name": "ml-1m"}) == [
        "gmf data=toy",
        "gmf data=ml-1m",
    ]


def test_long_names_are_numbered_in_pictures() -> None:
    runs = [
        record(optimizer__lr=lr, model__dropout=0.5 - lr, data__batch_size=int(1e5 * lr))
        for lr in (0.001, 0.002)
    ]
    first, second = group_runs([*runs, record(model__name="ease")])[:2]
    assert (first.mark, second.mark) == ("gmf #1", "gmf #2")
    assert first.label == "gmf dropout=0.499 batch_size=100 lr=0.001"


def test_the_latest_of_equal_runs_counts_and_only_finished_ones() -> None:
    old, new, failed = record(), record(), record(status="FAILED")
    assert group_runs([new, failed, old])[0].runs == (new,)
    assert group_runs([failed]) == []


def test_short_names() -> None:
    assert shorten_options(["model.factors", "loss.alpha", "model.alpha", "loss._target_"]) == {
        "model.factors": "factors",
        "loss.alpha": "loss.alpha",
        "model.alpha": "model.alpha",
        "loss._target_": "loss",
    }

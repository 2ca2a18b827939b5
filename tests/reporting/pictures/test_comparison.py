"""What the pictures of a comparison are made of, and that they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.reporting.palette import model_colors
from src.reporting.pictures.difference_matrix import draw_differences
from src.reporting.pictures.lines import (
    choose_styles,
    draw_cutoffs,
    draw_epochs,
    draw_groups,
)
from src.reporting.pictures.points import TradePoint, draw_option, draw_tradeoff, find_front
from tests.reporting.pictures.files import png_size, svg_texts

LOOKS = choose_styles({"gmf 8": "gmf", "gmf 16": "gmf", "ease": "ease"})


def test_configurations_look_different() -> None:
    models = {f"{model} {i}": model for model in ("gmf", "mlp", "neumf") for i in range(4)}
    assert len(set(choose_styles(models).values())) == 12
    assert len(set(model_colors(map(str, range(19))).values())) == 19


def test_a_model_keeps_its_colour() -> None:
    assert model_colors(["mlp", "gmf"]) == model_colors(["gmf", "mlp", "gmf"])


def test_the_front_by_hand() -> None:
    points = [
        TradePoint(name, "m", time, quality, None)
        for name, time, quality in (
            ("slow and worse", 9, 0.2),
            ("quick", 1, 0.1),
            ("best", 5, 0.4),
            ("as quick, worse", 1, 0.05),
            ("as good, slower", 6, 0.4),
        )
    ]
    assert [point.name for point in find_front(points, lower_is_better=False)] == ["quick", "best"]
    assert [point.name for point in find_front(points, lower_is_better=True)] == ["as quick, worse"]


def test_epochs_of_seeds_that_stopped_at_different_ones(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [
            (name, seed, epoch, 0.1 * epoch, 1 / epoch)
            for name, seed, last in (("gmf 8", "0", 3), ("gmf 8", "1", 5), ("ease", "0", 1))
            for epoch in range(1, last + 1)
        ],
        columns=["configuration", "seed", "epoch", "metric", "loss"],
    )
    for column in ("metric", "loss"):
        file = tmp_path / f"{column}.svg"
        draw_epochs(file, table, column, "validation NDCG@10", LOOKS)  # type: ignore[arg-type]
        assert {"epoch", "validation NDCG@10", "gmf 8", "ease"} <= set(svg_texts(file))


def test_cutoffs(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [(name, "0", k, k / 20) for name in ("gmf 8", "ease") for k in range(1, 11)],
        columns=["configuration", "seed", "k", "hr"],
    )
    draw_cutoffs(tmp_path / "hr.png", table, "hr", "HR@K", LOOKS)
    assert png_size(tmp_path / "hr.png")[0] == 832


@pytest.mark.parametrize(
    ("values", "doubling", "ticks"),
    [([8, 16, 32], True, {"8", "16", "32"}), ([0.001, 0.01, 0.1], False, {"0.001", "0.01", "0.1"})],
)
def test_options(values: list[float], doubling: bool, ticks: set[str], tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"series": "gmf", "value": values, "mean": [0.1, 0.2, 0.3], "sd": [0.01, None, 0.02]}
    )
    draw_option(tmp_path / "o.svg", table, "option", "test NDCG@10", ["gmf", "mlp"], doubling)
    assert ticks | {"option", "test NDCG@10", "gmf"} <= set(svg_texts(tmp_path / "o.svg"))


def test_names_in_the_picture_of_time(tmp_path: Path) -> None:
    points = [TradePoint(f"name {i}", "gmf", 10**i, i / 10, 0.01) for i in range(3)]
    draw_tradeoff(tmp_path / "t.svg", points, {"name 0", "name 2"}, "HR@10", points)
    texts = svg_texts(tmp_path / "t.svg")
    assert {"name 0", "name 2", "training, seconds", "nothing quicker is as good"} <= set(texts)
    assert "name 1" not in texts


def test_names_that_would_cover_each_other_are_left_out(tmp_path: Path) -> None:
    points = [TradePoint(f"a long name {i}", "gmf", 1.0, 0.5, None) for i in range(30)]
    named = {point.name for point in points}
    draw_tradeoff(tmp_path / "t.svg", points, named, "HR@10", [])
    assert sum(text.startswith("a long") for text in svg_texts(tmp_path / "t.svg")) < 9


def test_the_matrix_is_antisymmetric_and_says_it_in_numbers(tmp_path: Path) -> None:
    differences = np.array([[0, 0.0123, -0.2], [-0.0123, 0, 0], [0.2, 0, 0]])
    passed = np.array([[0, 2, 1], [2, 0, 0], [1, 0, 0]])
    names = ["gmf", "mlp", "ease"]
    width = draw_differences(tmp_path / "m.svg", names, differences, passed, "row − column")
    texts = svg_texts(tmp_path / "m.svg")
    assert {"+.012", "−.012", "+.200", "−.200", *names} <= set(texts)
    assert 2 < width < 4
    draw_differences(tmp_path / "m.svg", names, differences / 10, passed, "row − column")
    assert "+.0012" in svg_texts(tmp_path / "m.svg")
    wide = [f"model {i}" for i in range(6)]
    zeros = np.zeros((6, 6))
    draw_differences(tmp_path / "m.svg", wide, zeros, zeros.astype(int), "row − column")
    assert "row − column" in svg_texts(tmp_path / "m.svg")


def test_groups_stand_in_their_order(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [
            (name, seed, group, 0.1 * place)
            for name, seed in (("gmf 8", "0"), ("gmf 8", "1"), ("ease", "0"))
            for place, group in enumerate(("tail", "head"))
        ],
        columns=["configuration", "seed", "group", "ndcg"],
    )
    groups = {"head": "the head", "mid": "the middle", "tail": "the tail"}
    file = tmp_path / "groups.svg"
    draw_groups(file, table, "ndcg", "test NDCG@10", groups, LOOKS)
    texts = svg_texts(file)
    assert {"test NDCG@10", "gmf 8", "ease"} < set(texts)
    assert texts.index("the head") + 1 == texts.index("the tail")

"""Search spaces: what they may say, and what becomes of what is drawn."""

from __future__ import annotations

import re
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from src.errors import UserError
from src.tuning.space import (
    Choices,
    Range,
    Space,
    check_names,
    format_drawn,
    list_combinations,
    list_words,
    read_space,
    split_fixed,
)

NODE: dict[str, Any] = {
    "model": {
        "factors": {"choices": [8, 16], "unless": ["model.out_size"]},
        "layers": {"choices": {"narrow": [16, 8], "wide": [64, 32]}},
    },
    "loss": {"choices": ["bce", "softmax"]},
    "l2": {"low": 1e-5, "high": 0.1, "log": True},
    "data": {"negatives": {"low": 1, "high": 10, "step": 3}},
}


def test_distributions() -> None:
    space = read_space(NODE)
    assert {name: searched.distribution for name, searched in space.items()} == {
        "model.factors": CategoricalDistribution([8, 16]),
        "model.layers": CategoricalDistribution(["narrow", "wide"]),
        "loss": CategoricalDistribution(["bce", "softmax"]),
        "l2": FloatDistribution(1e-5, 0.1, log=True),
        "data.negatives": IntDistribution(1, 10, step=3),
    }


def test_words_of_what_is_drawn() -> None:
    drawn = {"model.factors": 8, "model.layers": "wide", "loss": "softmax", "l2": 1e-05}
    words = list_words(read_space(NODE), drawn)
    assert words == ["model.factors=8", "model.layers=[64,32]", "loss=softmax", "l2=1e-05"]
    assert format_drawn({**drawn, "l2": 0.0123456}) == (
        "model.factors=8 model.layers=wide loss=softmax l2=0.01235"
    )


@pytest.mark.parametrize(
    ("given_options", "fixed"),
    [
        ([], []),
        (["data", "model"], []),
        (["model.factors"], ["model.factors"]),
        (["model.out_size"], ["model.factors"]),
        (["loss.margin", "l2"], ["loss", "l2"]),
        (["optimizer.lr", "model.layer"], []),
    ],
)
def test_what_the_command_line_gives_is_not_searched(
    given_options: list[str], fixed: list[str]
) -> None:
    space = read_space(NODE)
    left, gone = split_fixed(space, given_options)
    assert gone == fixed
    assert list(left) == [name for name in space if name not in fixed]


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ({"l2": 0.1}, "search.l2=0.1: an option is searched by {choices: [A, B]} or {low: A"),
        ({"model": {"factors": {"choises": [1]}}}, "search.model.factors.choises=[1]: an option"),
        ({"l2": {"low": 1}}, "search.l2: a range needs high, too"),
        ({"l2": {"low": 1, "hihg": 2}}, "no option search.l2.hihg; did you mean high"),
        (
            {"l2": {"low": 1, "high": 2, "lgo": True}},
            "no option search.l2.lgo; did you mean low or log",
        ),
        ({"l2": {"low": 2, "high": 2}}, "search.l2: low=2 has to be less than high=2"),
        ({"l2": {"low": "a", "high": 2}}, "search.l2.low=a: Input should be a valid integer"),
        ({"l2": {"low": 0.0, "high": 2, "log": True}}, "search.l2: log needs a low above 0"),
        ({"l2": {"low": 1, "high": 9, "step": 0}}, "search.l2.step=0: has to be above 0"),
        ({"l2": {"choices": []}}, "search.l2.choices=[]: give different choices, at least one"),
        ({"l2": {"choices": [1, 1]}}, "search.l2.choices=[1, 1]: give different choices"),
        ({"l2": {"choices": [[1], [2]]}}, "search.l2.choices=[[1], [2]]: Input should be"),
    ],
)
def test_mistakes(node: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=re.escape(line)):
        read_space(node)


def test_names_are_those_of_the_configuration() -> None:
    groups = {"loss": ["bce", "softmax"], "optimizer": ["adam"]}
    options = ["model.factors", "model.layers", "l2", "data.negatives", "loss._target_"]
    check_names(read_space(NODE), options, groups)
    with pytest.raises(UserError, match=r"no option data.negatives; did you mean data.negative"):
        check_names(read_space(NODE), [*options[:3], "data.negative"], groups)
    with pytest.raises(UserError, match=r"search.loss: no loss softmax; did you mean softmix"):
        check_names(read_space(NODE), options, {"loss": ["bce", "softmix"]})
    with pytest.raises(UserError, match=r"search.loss: loss has choices, and no range"):
        check_names({"loss": Range(1, 2)}, options, groups)


def test_a_step_stays_within_the_range() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    distribution = read_space(NODE)["data.negatives"].distribution
    drawn = {study.ask({"n": distribution}).params["n"] for _ in range(40)}
    assert drawn == {1, 4, 7, 10}


def test_combinations() -> None:
    space: Space = {"a": Choices([1, 2]), "b": Choices({"x": [8], "y": [9]})}
    every = [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]
    assert list_combinations(space, 4) == every
    assert list_combinations(space, 3) is None
    assert list_combinations({**space, "c": Range(0.1, 0.2)}, 100) is None

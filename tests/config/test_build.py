from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Lt

from src.config.build import Component, build, check, locate
from src.errors import UserError, did_you_mean


def bake(
    flour: str,
    eggs: Annotated[int, Ge(1)] = 2,
    sugar: Annotated[float, Ge(0), Lt(1)] = 0.5,
    layers: list[Annotated[int, Ge(1)]] | None = None,
    oven: Literal["gas", "wood"] = "gas",
) -> dict[str, Any]:
    return {"flour": flour, "eggs": eggs, "sugar": sugar, "layers": layers, "oven": oven}


class Cake:
    def __init__(self, layers: int = 1) -> None:
        self.layers = layers


BAKE = f"{__name__}.bake"


@pytest.mark.parametrize(
    ("options", "converted"),
    [
        ({}, {}),
        ({"eggs": 3}, {"eggs": 3}),
        ({"eggs": "8"}, {"eggs": 8}),
        ({"sugar": 0}, {"sugar": 0.0}),
        ({"sugar": "1e-3"}, {"sugar": 0.001}),
        ({"layers": None}, {"layers": None}),
        ({"layers": ["1", 2]}, {"layers": [1, 2]}),
        ({"oven": "wood"}, {"oven": "wood"}),
    ],
)
def test_check_converts(options: dict[str, Any], converted: dict[str, Any]) -> None:
    checked = check(bake, options, "cake")
    assert checked == converted
    assert [type(value) for value in checked.values()] == [type(v) for v in converted.values()]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"egs": 3}, "no option cake.egs; did you mean eggs?"),
        ({"zzz": 3}, "no option cake.zzz"),
        (
            {"eggs": "abc"},
            "cake.eggs=abc: Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            {"eggs": 1.5},
            "cake.eggs=1.5: Input should be a valid integer, got a number with a fractional part",
        ),
        ({"eggs": None}, "cake.eggs=None: Input should be a valid integer"),
        ({"eggs": 0}, "cake.eggs=0: Input should be greater than or equal to 1"),
        ({"sugar": 1}, "cake.sugar=1: Input should be less than 1"),
        ({"layers": 3}, "cake.layers=3: Input should be a valid list"),
        ({"layers": [3, 0]}, "cake.layers=[3, 0]: Input should be greater than or equal to 1"),
        ({"oven": "coal"}, "cake.oven=coal: Input should be 'gas' or 'wood'"),
    ],
)
def test_check_names_the_option(options: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        check(bake, options, "cake")


def test_check_reads_a_class_s_constructor() -> None:
    assert check(Cake, {"layers": "2"}, "cake") == {"layers": 2}
    with pytest.raises(UserError, match=r"no option cake\.layer; did you mean layers\?"):
        check(Cake, {"layer": 2}, "cake")


def test_build() -> None:
    made = build({"_target_": BAKE, "eggs": "4"}, "cake", flour="rye")
    assert made == {"flour": "rye", "eggs": 4, "sugar": 0.5, "layers": None, "oven": "gas"}


def test_what_is_bound_waits_for_the_rest() -> None:
    made = Component.read({"_target_": BAKE, "eggs": 4}, "cake").bind()
    assert made("rye")["eggs"] == 4
    assert made(flour="oat", eggs=5)["eggs"] == 5


def test_locate() -> None:
    assert locate("pathlib.Path") is Path


@pytest.mark.parametrize("path", ["src.models.Nope", "nowhere.Nope"])
def test_a_target_that_is_not_there(path: str) -> None:
    with pytest.raises(UserError, match=f"^_target_={re.escape(path)} can't be imported: "):
        locate(path)


@pytest.mark.parametrize("path", ["Nope", "", "../../x", ".x", "a..b", "a.b.", "a b.c", "a.1"])
def test_what_is_no_dotted_path(path: str) -> None:
    with pytest.raises(UserError, match=f"^_target_={re.escape(path)}: no dotted path"):
        locate(path)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ({"_target_": 5}, "cake._target_=5: no dotted path"),
        ({"_target_": ["a.b"]}, "cake._target_=['a.b']: no dotted path"),
        ({}, "cake needs a _target_"),
        (5, "cake needs a _target_"),
        (None, "cake needs a _target_"),
        ({"_target_": "math.pi"}, "cake._target_=math.pi: no class and no function"),
    ],
)
def test_nodes_that_make_nothing(node: Any, line: str) -> None:
    with pytest.raises(UserError, match=re.escape(line)):
        build(node, "cake")


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("nuemf", "; did you mean neumf?"),
        ("ml", "; did you mean mlp?"),
        ("transformer", ""),
    ],
)
def test_did_you_mean(word: str, advice: str) -> None:
    assert did_you_mean(word, ["gmf", "mlp", "neumf"]) == advice

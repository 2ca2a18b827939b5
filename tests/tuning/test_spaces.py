"""The search spaces that come with the project, each against its model's own configuration."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml

from src.config.build import check, locate
from src.config.compose import compose, group_choices, plain
from src.config.paths import CONF
from src.models import Fitted
from src.tracking.tracker import flatten
from src.tuning.space import Range, Space, check_names, list_words, read_space
from tests.commands import MODELS

NOTHING = ("itempop", "random")
# Spaces for another use of a model
OTHERS = {
    "mf-full-softmax": ("mf", "loss=full-softmax"),
    "mf-ratings": ("mf", "loss=mse"),
    "nmf-ratings": ("nmf", "loss=mse"),
    "paper": ("neumf",),
}
SPACES = {name: (name,) for name in MODELS if name not in NOTHING} | OTHERS


def space_of(name: str) -> Space:
    return read_space(yaml.safe_load((CONF / "search" / f"{name}.yaml").read_text()) or {})


@cache
def composed(model: str, *words: str) -> dict[str, Any]:
    return plain(compose([f"model={model}", *words]))


def test_every_model_has_a_space() -> None:
    assert sorted(path.stem for path in (CONF / "search").glob("*.yaml")) == sorted(
        [*MODELS, *OTHERS]
    )
    assert [name for name in MODELS if not space_of(name)] == list(NOTHING)


@pytest.mark.parametrize("name", SPACES)
def test_every_option_exists(name: str) -> None:
    options = composed(*SPACES[name])
    space = space_of(name)
    check_names(space, list(flatten(options)), group_choices())
    unless = {option for searched in space.values() for option in searched.unless}
    assert unless <= set(flatten(options))


@pytest.mark.parametrize("name", SPACES)
def test_fitted_models_have_options_of_their_own_only(name: str) -> None:
    options, space = composed(*SPACES[name]), space_of(name)
    fitted = issubclass(locate(options["model"]["_target_"]), Fitted)
    of_the_model = [option.startswith("model.") for option in space]
    assert all(of_the_model) if fitted else not all(of_the_model)
    assert fitted or "optimizer.lr" in space


@pytest.mark.parametrize("name", SPACES)
def test_models_take_both_ends_of_the_space(name: str) -> None:
    space = space_of(name)
    for end in (0, -1):
        drawn = {
            option: (searched.low, searched.high)[end]
            if isinstance(searched, Range)
            else list(searched.choices)[end]
            for option, searched in space.items()
        }
        options = composed(*SPACES[name], *list_words(space, drawn))
        own = {
            k: v
            for k, v in options["model"].items()
            if k not in ("name", "pretrained", "parts", "alpha")
        }
        check(locate(own.pop("_target_")), own, "model")
        for option, value in flatten(options).items():
            if option in drawn:
                assert value == space[option].value(drawn[option])


@pytest.mark.parametrize("name", SPACES)
def test_what_the_baselines_chose_is_within_the_space(name: str) -> None:
    """Of the options searched, what was chosen for MovieLens-1M could be drawn, too."""
    model = SPACES[name][0]
    if name in OTHERS or model in ("svdpp", "neumf"):
        pytest.skip("the baseline is another kind of run")
    # the released split, if the model is chosen there; it has no times of its own
    released = (CONF / "experiment" / "ncf-ml-1m" / f"{model}.yaml").is_file()
    data = "ncf-ml-1m" if released else "ml-1m"
    if not (CONF / "experiment" / data / f"{model}.yaml").is_file():
        pytest.skip("it is chosen as a part of a fusion")
    chosen = flatten(composed(model, f"experiment={data}/{model}"))
    for option, searched in space_of(name).items():
        if isinstance(searched, Range) and chosen.get(option):  # an l2 of 0 is none
            assert searched.low <= chosen[option] <= searched.high, option

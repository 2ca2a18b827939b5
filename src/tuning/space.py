"""The search space: options with their choices or ranges, as in conf/search/*.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from src.config.build import check
from src.config.quoting import assign, quote
from src.errors import UserError, did_you_mean

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Choices:
    """A set of values to choose from; where they are lists, each has a name: {narrow: [16, 8]}."""

    choices: list[Scalar] | dict[str, Any]
    unless: list[str] = field(default_factory=list)
    """Other options: where the user gives one of these, this one is not searched."""

    @property
    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(list(self.choices))

    def value(self, drawn: Any) -> Any:
        """Return the value that the option is set to when `drawn` was drawn."""
        return self.choices[drawn] if isinstance(self.choices, dict) else drawn

    def __str__(self) -> str:
        if isinstance(self.choices, dict):
            return ", ".join(f"{name} {value}" for name, value in self.choices.items())
        return ", ".join(map(quote, self.choices))


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, both included; whole numbers if both are whole."""

    low: int | float
    high: int | float
    log: bool = False
    """Whether draws are uniform in the logarithm."""
    step: int | float | None = None
    unless: list[str] = field(default_factory=list)

    @property
    def distribution(self) -> BaseDistribution:
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = 1 if self.step is None else int(self.step)
            return IntDistribution(self.low, self.high, self.log, step)
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def value(self, drawn: Any) -> Any:
        """Return the number that was drawn."""
        return drawn

    def __str__(self) -> str:
        step = "" if self.step is None else f" in steps of {self.step:g}"
        return f"{self.low:g} to {self.high:g}{step}{', logarithmic' * self.log}"


Space = dict[str, Choices | Range]
"""The searched options, by their whole names."""


def read_space(node: Mapping[str, Any], prefix: str = "") -> Space:
    """Read the options of a search space that is nested like the configuration.

    Raises UserError for an option with neither choices nor a range.
    """
    space: Space = {}
    for key, value in node.items():
        name = f"{prefix}{key}"
        if not isinstance(value, Mapping):
            raise UserError(
                f"search.{name}={value}: an option is searched by {{choices: [A, B]}} "
                "or {low: A, high: B}"
            )
        if "choices" in value:
            space[name] = _choices(value, f"search.{name}")
        elif "low" in value or "high" in value:
            space[name] = _range(value, f"search.{name}")
        else:
            space |= read_space(value, f"{name}.")
    return space


def _choices(node: Mapping[str, Any], name: str) -> Choices:
    found = Choices(**check(Choices, node, name))
    if not found.choices or len(set(map(repr, found.choices))) < len(found.choices):
        raise UserError(f"{name}.choices={found.choices}: give different choices, at least one")
    return found


def _range(node: Mapping[str, Any], name: str) -> Range:
    checked = check(Range, node, name)
    if missing := {"low", "high"} - set(node):
        raise UserError(f"{name}: a range needs {missing.pop()}, too")
    found = Range(**checked)
    if not found.low < found.high:
        raise UserError(f"{name}: low={found.low} has to be less than high={found.high}")
    if found.log and (found.low <= 0 or found.step is not None):
        raise UserError(f"{name}: log needs a low above 0, and has no step")
    if found.step is not None and found.step <= 0:
        raise UserError(f"{name}.step={found.step}: has to be above 0")
    return found


def list_combinations(space: Space, most: int) -> list[dict[str, Any]] | None:
    """Return what can be drawn of a space of choices alone; None if it is more than `most`."""
    choices = [list(it.choices) for it in space.values() if isinstance(it, Choices)]
    if len(choices) < len(space) or prod(map(len, choices)) > most:
        return None
    return [dict(zip(space, drawn, strict=True)) for drawn in product(*choices)]


def split_fixed(space: Space, given: Sequence[str]) -> tuple[Space, list[str]]:
    """Return the space without what the options `given` decide, and the names that left it."""
    fixed = [
        name
        for name, searched in space.items()
        if any(
            option in searched.unless or option == name or option.startswith(f"{name}.")
            for option in given
        )
    ]
    return {name: space[name] for name in space if name not in fixed}, fixed


def check_names(space: Space, options: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
    """Refuse unknown options and unknown choices of a group: raise UserError."""
    for name, searched in space.items():
        if name in groups:
            if isinstance(searched, Range):
                raise UserError(f"search.{name}: {name} has choices, and no range")
            for choice in searched.choices:
                if choice not in groups[name]:
                    near = did_you_mean(str(choice), groups[name])
                    raise UserError(f"search.{name}: no {name} {choice}{near}")
        elif name not in options:
            near = did_you_mean(name, [*options, *groups])
            raise UserError(f"search.{name}: the model's configuration has no option {name}{near}")


def list_words(space: Space, drawn: Mapping[str, Any]) -> list[str]:
    """Return the words for the command line of what was drawn: model.factors=8."""
    return [assign(name, space[name].value(value)) for name, value in drawn.items()]


def format_drawn(drawn: Mapping[str, Any]) -> str:
    """Write what was drawn for people: model.factors=8 optimizer.lr=0.001235."""
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in drawn.items()
    )

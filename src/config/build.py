"""Make objects from configuration nodes, checking every option against the annotated signature."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, is_dataclass
from functools import partial
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from src.errors import UserError, did_you_mean, shorten

T = TypeVar("T")

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
"""A dotted path of a class or a function."""


@dataclass(frozen=True)
class Component:
    """A class or a function that a configuration names, with its options.

    Raises UserError, in every method, for a target that can't be imported and for options of a
    wrong name, type or range.
    """

    group: str
    """What the user calls it, for messages: "optimizer"."""
    target: str | None
    """Its dotted path; None where nothing is chosen, as by loss=none."""
    options: Mapping[str, Any]

    @classmethod
    def read(cls, node: Mapping[str, Any], group: str) -> Component:
        """Take a configuration's node apart. Raises UserError when it has no `_target_`."""
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise UserError(f"{group} needs a _target_, the dotted path of what to make")
        if not isinstance(node["_target_"], str | None):
            raise UserError(f"{group}._target_={shorten(node['_target_'])}: no dotted path")
        options = {key: value for key, value in node.items() if key != "_target_"}
        return cls(group, node["_target_"], options)

    def __bool__(self) -> bool:
        return self.target is not None

    @property
    def callable(self) -> Callable[..., Any]:
        """The class or function itself."""
        if self.target is None:
            raise UserError(f"{self.group}=none: something has to be chosen here")
        found = locate(self.target, f"{self.group}._target_")
        if not callable(found):
            raise UserError(f"{self.group}._target_={self.target}: no class and no function")
        return found

    def is_a(self, kind: type) -> bool:
        """Tell whether it is a class of that kind."""
        return self.target is not None and is_kind(self.callable, kind)

    def bind(self) -> partial[Any]:
        """Return the target with its options bound; what is missing is given by the caller."""
        return partial(self.callable, **check(self.callable, self.options, self.group))

    def build(self, **given: Any) -> Any:
        """Call the target with its options, checked, and with `given`, unchecked."""
        bound = self.bind()
        _require_all(self.callable, {**bound.keywords, **given}, self.group)
        return bound(**given)


def is_kind(target: object, kind: type) -> bool:
    """Tell whether the target is a class derived from `kind`."""
    return isinstance(target, type) and issubclass(target, kind)


def locate(path: str, option: str = "_target_") -> Callable[..., Any]:
    """Return the class or function at a dotted path like "src.models.NeuMF".

    `option` is what the user wrote it as, for messages. Raises UserError when it can't be imported.
    """
    if not DOTTED.fullmatch(path):
        raise UserError(f"{option}={shorten(path)}: no dotted path of a class or a function")
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise UserError(f"{option}={path} can't be imported: {shorten(error, 120)}") from error


def build(node: Mapping[str, Any], name: str, **given: Any) -> Any:
    """Call the node's `_target_` with its other entries, checked, and with `given`, unchecked.

    `name` is what the user calls the node, for messages: "model.factors=abc: ...".
    """
    return Component.read(node, name).build(**given)


def read(kind: type[T], node: Mapping[str, Any], name: str) -> T:
    """Make a dataclass of options from a configuration's node.

    Raises UserError that names the first option of a wrong name, type or range, or that is missing.
    """
    checked = check(kind, node, name)
    _require_all(kind, checked, name)
    return kind(**checked)


def check(target: Callable[..., Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the options converted to the types that `target` declares.

    Raises UserError that names the first option of a wrong name, type or range.
    """
    if not isinstance(options, Mapping):
        raise UserError(f"{name}={shorten(options)}: options are needed here")
    hints, known = signature_hints(target), _parameters(target, name)
    prefix = f"{name}." if name else ""
    checked = {}
    for key, value in options.items():
        if key not in known:
            raise UserError(f"no option {prefix}{key}{did_you_mean(key, known)}")
        checked[key] = _convert(value, hints.get(key, Any), f"{prefix}{key}")
    return checked


def _require_all(target: Callable[..., Any], given: Container[str], name: str) -> None:
    """Raise UserError unless all is given that the target can't do without."""
    for key, parameter in _parameters(target, name).items():
        needed = parameter.default is parameter.empty and parameter.kind in BY_NAME
        if needed and key not in given:
            raise UserError(f"{name}.{key} has to be given" if name else f"{key} has to be given")


def _parameters(target: Callable[..., Any], name: str) -> Mapping[str, inspect.Parameter]:
    # a class that inherits __new__ is known by it to inspect, whatever its __init__ takes
    own = (
        inspect.isclass(target) and not is_dataclass(target) and inspect.isfunction(target.__init__)
    )
    function: Any = target.__init__ if own else target
    try:
        parameters = dict(inspect.signature(function).parameters)
        if own:
            parameters.pop(next(iter(parameters)))
        return parameters
    except (ValueError, TypeError) as error:  # of some that are built into Python
        raise UserError(f"{name}: {target!r} does not say what it is called with") from error


def signature_hints(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of what a class or a function is called with, if they can be had."""
    takes_fields = not inspect.isclass(target) or is_dataclass(target)
    function: Any = target if takes_fields else target.__init__
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:  # imported for type checkers only
        return {}


def _convert(value: Any, annotation: Any, name: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{name}={value}: Input should be a finite number")
    arbitrary = None if _has_own_settings(annotation) else ConfigDict(arbitrary_types_allowed=True)
    try:
        return TypeAdapter(annotation, config=arbitrary).validate_python(
            value,
            # true is no 1
            strict=True if isinstance(value, bool) else None,
        )
    except ValidationError as error:
        reasons = dict.fromkeys(detail["msg"] for detail in error.errors())
        raise UserError(f"{name}={shorten(value)}: {shorten('; '.join(reasons), 160)}") from error


def _has_own_settings(annotation: Any) -> bool:
    """Tell whether a type brings its own pydantic configuration."""
    return hasattr(annotation, "__pydantic_config__") or hasattr(annotation, "model_config")

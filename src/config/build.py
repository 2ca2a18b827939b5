"""Makes objects from configuration nodes, checking every option against the annotated signature."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from src.errors import UserError, did_you_mean


def locate(path: str) -> Callable[..., Any]:
    """The class or function at a dotted path like "src.models.NeuMF"."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"_target_={path} can't be imported: {error}") from error


def build(node: Mapping[str, Any], name: str, **given: Any) -> Any:
    """Calls the node's `_target_` with its other entries, checked, and with `given`, unchecked.

    `name` is what the user calls the node, for messages: "model.factors=abc: ...".
    """
    return build_partial(node, name)(**given)


def build_partial(node: Mapping[str, Any], name: str) -> partial[Any]:
    """The node's `_target_` with its other entries bound; what is missing is given later."""
    target = locate(node["_target_"])
    options = {key: value for key, value in node.items() if key != "_target_"}
    return partial(target, **check(target, options, name))


def check(target: Callable[..., Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options converted to the types that `target` declares.

    Raises UserError that names the first option of a wrong name, type or range.
    """
    function = target.__init__ if inspect.isclass(target) else target
    hints = get_type_hints(function, include_extras=True)
    known = inspect.signature(function).parameters
    prefix = f"{name}." if name else ""
    checked = {}
    for key, value in options.items():
        if key not in known:
            raise UserError(f"no option {prefix}{key}{did_you_mean(key, known)}")
        checked[key] = _convert(value, hints.get(key, Any), f"{prefix}{key}")
    return checked


def _convert(value: Any, annotation: Any, name: str) -> Any:
    arbitrary = None if _is_model(annotation) else ConfigDict(arbitrary_types_allowed=True)
    try:
        return TypeAdapter(annotation, config=arbitrary).validate_python(value)
    except ValidationError as error:
        reasons = dict.fromkeys(detail["msg"] for detail in error.errors())
        raise UserError(f"{name}={value}: {'; '.join(reasons)}") from error


def _is_model(annotation: Any) -> bool:
    """Types that bring their own pydantic configuration."""
    return hasattr(annotation, "__pydantic_config__") or hasattr(annotation, "model_config")

"""Import Lightning without torch's compiler, a third of the way to the first step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from types import ModuleType
from typing import Any

from src.config.lazy_module import LazyModule

NAME = "torch._dynamo"


def _loaded() -> ModuleType | None:
    module = sys.modules.get(NAME)
    return None if isinstance(module, LazyModule) else module


class _CompiledModules(type):
    """Whose instances are what torch.compile returned, if anybody has called it."""

    def __instancecheck__(cls, instance: Any) -> bool:
        loaded = _loaded()
        return loaded is not None and isinstance(instance, loaded.OptimizedModule)


class OptimizedModule(metaclass=_CompiledModules):
    """Stands for torch._dynamo.OptimizedModule, which Lightning asks models for."""


def disable(function: Callable[..., Any], *how: Any, **options: Any) -> Callable[..., Any]:
    """Stand for torch._dynamo.disable: what is compiled, if anything is, leaves this out."""

    @cache
    def by(loaded: ModuleType) -> Callable[..., Any]:
        return loaded.disable(function, *how, **options)

    @wraps(function)
    def left_out(*args: Any, **kwargs: Any) -> Any:
        loaded = _loaded()
        return (by(loaded) if loaded else function)(*args, **kwargs)

    return left_out


class _StandIn(LazyModule):
    """No package to who imports a name of it; one, and the real one, to who imports a part."""

    def __getattr__(self, attribute: str) -> Any:
        asks = sys._getframe(1).f_code.co_filename
        if attribute == "__path__" and "importlib" not in asks:
            raise AttributeError(attribute)
        return super().__getattr__(attribute)


@contextmanager
def without_dynamo() -> Iterator[None]:
    """Let Lightning be imported without torch._dynamo, which is there for who asks for more."""
    if NAME in sys.modules:
        yield
        return
    stand_in = _StandIn(NAME, OptimizedModule=OptimizedModule, disable=disable)
    sys.modules[NAME] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(NAME) is stand_in:
            del sys.modules[NAME]

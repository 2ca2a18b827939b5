"""Modules that libraries import without using them, loaded when anybody does."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands in for a module until an attribute is asked for that it does not have itself."""

    def __init__(self, name: str, **known: Any) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        vars(self).update(known)

    def __getattr__(self, attribute: str) -> Any:
        # what goes through all modules, as `inspect` does, asks for names of this kind
        if attribute.startswith("__") and attribute != "__path__":
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)


def defer(name: str, **known: Any) -> None:
    """Let a module load when one of its attributes is asked for, other than those `known`."""
    if name not in sys.modules:
        sys.modules[name] = LazyModule(name, **known)

"""What files may name as code: a checkpoint, a run's folder. docs/security.md explains it.

A configuration that the user composes is the user's own, and may name anything. What is read from a
file may be somebody else's: of what it names only our own classes are imported, each where it
belongs, and those in modules that the user has named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.config.build import DOTTED, locate
from src.errors import LONGEST_VALUE, UserError, shorten

OURS = "src."
MODULE = re.compile(rf"[^\W\d]\w*|{DOTTED.pattern}")


@dataclass(frozen=True)
class Kind:
    """A kind of component: where those are that anybody may name, and what all of them are."""

    places: tuple[str, ...]
    """Modules, with what is below them."""
    base: str | None = None
    """The class that they derive from."""
    methods: tuple[str, ...] = ()


MODEL = Kind(("src.models",), "src.models.recommender.Recommender")
KINDS = {
    "model": MODEL,
    "model.branches": MODEL,
    "loss": Kind(("src.training.losses",), methods=("__call__",)),
    "optimizer": Kind(("src.training.adam", "torch.optim"), "torch.optim.Optimizer"),
    "scheduler": Kind(("torch.optim.lr_scheduler",), "torch.optim.lr_scheduler.LRScheduler"),
    "data.source": Kind(("src.data.sources",), methods=("fingerprint", "read")),
    "trainer.callbacks": Kind(
        ("pytorch_lightning.callbacks",), "pytorch_lightning.callbacks.Callback"
    ),
    "tracking": Kind(("pytorch_lightning.loggers",), "pytorch_lightning.loggers.Logger"),
}
"""By the option that names a component; metrics are functions, and ours go without being named."""


def refuse_foreign_code(options: Mapping[str, Any], trusted: Collection[str], file: object) -> None:
    """Raise UserError if options that were read from `file` name code they may not name.

    `trusted`: modules of the user's own. Nothing is imported but what is allowed, and nothing is
    called.
    """
    try:
        named = list(named_code(options))
    except RecursionError as error:
        raise UserError(f"{file} can't be read: it is nested without end") from error
    for option, target in named:
        if not _is_trusted(target, trusted):
            _check_ours(option, target, file)


def _is_trusted(target: str, trusted: Collection[str]) -> bool:
    return DOTTED.fullmatch(target) is not None and _is_below(target, trusted)


def _is_below(path: str, modules: Collection[str]) -> bool:
    return any(path.startswith(f"{module}.") for module in modules)


def _check_ours(option: str, target: str, file: object) -> None:
    """Raise UserError unless the target is one of our classes, of the option's kind."""
    kind = KINDS.get(option)
    if not DOTTED.fullmatch(target) or kind is None or not _is_below(target, kind.places):
        raise _refusal(option, target, file)
    found = locate(target, f"{option}._target_")
    # defined there, and not imported for its own use
    defined = isinstance(found, type) and _is_below(f"{found.__module__}.", kind.places)
    derived = kind.base is None or (defined and issubclass(found, locate(kind.base)))  # type: ignore[arg-type]
    if not defined or not derived or not all(hasattr(found, method) for method in kind.methods):
        raise _refusal(option, target, file)


def _refusal(option: str, target: str, file: object) -> UserError:
    own = DOTTED.fullmatch(target) and len(target) < LONGEST_VALUE and not target.startswith(OURS)
    module = target.rpartition(".")[0]
    advice = f": if you know that code and trust it, add trust={module}" if own else ""
    place = shorten(file, 2 * LONGEST_VALUE)
    said = f"{place} names {shorten(target)} as {shorten(option)}"
    return UserError(f"{said}, which is none of this project's{advice}")


def named_code(node: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each option of a configuration that names code, with the dotted path.

    As ("model", "src.models.NeuMF"); of a list, with the option that holds it.
    """
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "_target_":
                yield from [] if value is None else [(prefix, str(value))]
            elif key == "metrics" and not prefix and isinstance(value, list | tuple):
                yield from (("metrics", str(path)) for path in value)
            else:
                yield from named_code(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(node, list | tuple):
        for entry in node:
            yield from named_code(entry, prefix)


def trusted_modules(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules that a configuration of the user's own names: as `trust`, or as code.

    Raises UserError for a `trust` that names no modules.
    """
    given = options.get("trust") or []
    modules = [given] if isinstance(given, str) else given
    for module in modules if isinstance(modules, Sequence) else [modules]:
        if not isinstance(module, str) or not MODULE.fullmatch(module):
            raise UserError(f"trust={shorten(given)}: modules of your own, as trust=mymodels")
    targets = [target for _, target in named_code(options) if not target.startswith(OURS)]
    named = [target.rpartition(".")[0] for target in targets if DOTTED.fullmatch(target)]
    return tuple(dict.fromkeys([*modules, *named]))

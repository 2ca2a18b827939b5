"""What identifies the code that computes a run's results: its syntax, without docstrings."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from src.config.compose import Plain
from src.config.paths import SOURCE
from src.config.trust import named_code

LENGTH = 12

# What a run's results depend on; how they are recorded, compared and drawn changes none
DECISIVE = (
    "config/build.py",
    "data",
    "evaluation",
    "models",
    "run/assembly.py",
    "run/experiment.py",
    "run/options.py",
    "run/loss.py",
    "run/pretraining.py",
    "training",
)
OURS = "src."


@cache
def code_version() -> str:
    """Return the digest of our code that decides a run's results, committed or not.

    Comments, docstrings and formatting don't count.
    """
    paths = [SOURCE / part for part in DECISIVE]
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    return _digest((file.relative_to(SOURCE).as_posix(), file) for file in files)


def own_code_version(options: Plain) -> str | None:
    """Return the digest of the modules that are not ours and that the options name; None of none.

    Modules count too that they import from their own folder, from other parts of their package and
    from beside it.
    """
    modules = sorted({path.rpartition(".")[0] for _, path in named_code(options)})
    found: dict[str, Path] = {}
    for module in modules:
        _collect(module, found)
    return _digest(sorted(found.items())) if found else None


def _collect(module: str, found: dict[str, Path]) -> None:
    """Add the module's file, and those of modules from the same place that it imports."""
    if not module or module in found or module.startswith(OURS):
        return
    file = _locate_source(module)
    if file is None:
        return
    found[module] = file
    if _is_installed(file):
        return  # a library is what its files were built to be
    place = file.parents[len(module.split(".")) - (file.name != "__init__.py")]
    for imported in _list_imports(file, module):
        other = _locate_source(imported)
        if other is not None and place in other.parents and not _is_installed(other):
            _collect(imported, found)


def _is_installed(file: Path) -> bool:
    """Tell whether a file is one of an installed library's, or of Python's own."""
    libraries = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib")}
    return "site-packages" in file.parts or any(one in file.parents for one in libraries)


def _locate_source(module: str) -> Path | None:
    """Return a module's Python file; None if it has none or can't be found."""
    try:
        spec: ModuleSpec | None = find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).resolve()


def _list_imports(file: Path, module: str) -> list[str]:
    """Return the modules that a file imports, by their absolute names."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            levels = package.split(".")
            above = levels[: len(levels) - node.level + 1]
            parts = [*(above if node.level else []), *([node.module] if node.module else [])]
            base = ".".join(filter(None, parts))
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name]


def _digest(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\n{_strip(file.read_bytes())}\n".encode())
    return digest.hexdigest()[:LENGTH]


def _strip(source: bytes) -> str:
    """Return the syntax tree of a file as text, without docstrings and places."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_bare_text(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_bare_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text alone: a docstring, of an attribute too."""
    return isinstance(statement, ast.Expr) and (
        isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )

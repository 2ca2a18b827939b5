"""Code is known by what it does: comments don't count, and modules of the user's own do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from src.run import code_identity
from src.run.code_identity import code_version, own_code_version
from src.run.identity import digest_code, make_key

MODEL = '''"""A model."""

from helpers import scale


class Mine:
    """Scores."""

    def score(self, users, items):
        """Score."""
        return scale(users)  # the same for all items
'''
HELPERS = "import math\n\nfrom elsewhere import unused\n\n\ndef scale(x):\n    return 2 * x\n"
OPTIONS: dict[str, Any] = {"model": {"name": "mine", "_target_": "mymodel.Mine", "factors": 8}}


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's own with a model in it, which Python finds."""
    write(tmp_path / "mymodel.py", MODEL)
    write(tmp_path / "helpers.py", HELPERS)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    before = set(sys.modules)
    yield tmp_path
    for module in set(sys.modules) - before:
        del sys.modules[module]


def test_options_that_name_only_our_code() -> None:
    assert own_code_version({"model": {"_target_": "src.models.GMF"}, "seed": 0}) is None
    assert set(digest_code({"model": {"_target_": "src.models.GMF"}})) == {"code"}


def test_what_the_model_does_counts(folder: Path) -> None:
    before = own_code_version(OPTIONS)
    assert before is not None
    write(folder / "mymodel.py", MODEL.replace("scale(users)", "scale(items)"))
    assert own_code_version(OPTIONS) != before


def test_what_is_said_of_it_does_not(folder: Path) -> None:
    before = own_code_version(OPTIONS)
    said = MODEL.replace("Score.", "Say how much.").replace("# the same for all items", "# so")
    write(folder / "mymodel.py", said.replace('"""A model."""\n', "# A model without a docstring"))
    assert own_code_version(OPTIONS) == before


def test_a_module_beside_it_that_it_imports(folder: Path) -> None:
    before = own_code_version(OPTIONS)
    write(folder / "unrelated.py", "x = 1")
    assert own_code_version(OPTIONS) == before
    write(folder / "helpers.py", HELPERS.replace("2 * x", "3 * x"))
    assert own_code_version(OPTIONS) != before


def test_a_package(folder: Path) -> None:
    write(folder / "mine" / "__init__.py", "from .inner.model import Mine\n")
    write(folder / "mine" / "inner" / "__init__.py", "")
    write(folder / "mine" / "inner" / "model.py", "from ..layers import width\n\nMine = width\n")
    write(folder / "mine" / "layers.py", "width = 8\n")
    for path in ("mine.Mine", "mine.inner.model.Mine"):
        options = {"model": {"_target_": path}}
        write(folder / "mine" / "layers.py", "width = 8\n")
        before = own_code_version(options)
        write(folder / "mine" / "layers.py", "width = 9\n")
        assert own_code_version(options) != before, path


@pytest.mark.parametrize(
    "options",
    [
        {"loss": {"_target_": "mymodel.Mine"}},
        {"data": {"source": {"_target_": "mymodel.Mine"}}},
        {"metrics": ["mymodel.Mine"]},
        {"trainer": {"callbacks": [{"_target_": "mymodel.Mine"}]}},
    ],
)
def test_wherever_a_module_is_named(options: dict[str, Any], folder: Path) -> None:
    before = own_code_version(options)
    write(folder / "mymodel.py", MODEL.replace("scale(users)", "scale(items)"))
    assert own_code_version(options) not in (None, before)


def test_a_module_that_is_not_there() -> None:
    assert own_code_version({"model": {"_target_": "nowhere.Mine"}}) is None
    assert own_code_version({"model": {"_target_": "Mine"}}) is None


def test_a_library_is_not_followed() -> None:
    options = {"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR"}}
    found: dict[str, Path] = {}
    code_identity._collect("torch.optim.lr_scheduler", found)
    assert list(found) == ["torch.optim.lr_scheduler"]
    assert own_code_version(options) is not None


def test_a_job_s_key_has_the_user_s_code(folder: Path) -> None:
    options = {**OPTIONS, "data": {"name": "mine", "source": {}}, "tracking": {}, "seed": 0}
    before = make_key(options, "data")
    write(folder / "helpers.py", HELPERS.replace("return", '"""Double."""\n    return'))
    assert make_key(options, "data") == before
    write(folder / "helpers.py", HELPERS.replace("2 * x", "3 * x"))
    assert make_key(options, "data") != before


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], str]]:
    """The version of our code with one file of ours changed."""
    monkeypatch.setattr(code_identity, "SOURCE", tmp_path)
    monkeypatch.setattr(code_identity, "DECISIVE", ("models", "run/options.py"))
    write(tmp_path / "models" / "mf.py", MODEL)
    write(tmp_path / "run" / "options.py", HELPERS)
    write(tmp_path / "run" / "summary.py", HELPERS)

    def version(file: str, text: str) -> str:
        write(tmp_path / file, text)
        code_version.cache_clear()
        return code_version()

    yield version
    code_version.cache_clear()


def test_our_code(ours: Callable[[str, str], str]) -> None:
    before = ours("models/mf.py", MODEL)
    assert ours("models/mf.py", MODEL.replace('"""Score."""', '"""Score pairs."""')) == before
    assert ours("run/summary.py", "print()") == before
    assert ours("models/mf.py", MODEL.replace("users)", "items)")) != before
    assert ours("models/mf.py", MODEL) == before
    assert ours("run/options.py", HELPERS.replace("2", "3")) != before

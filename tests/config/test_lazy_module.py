from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.lazy_module import LazyModule, defer
from tests.commands import REPOSITORY


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package that is imported from nowhere yet."""
    folder = tmp_path / "seldom_used"
    folder.mkdir()
    (folder / "__init__.py").write_text("found = 1\n")
    (folder / "inner.py").write_text("deeper = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "seldom_used", None)
    monkeypatch.delitem(sys.modules, "seldom_used")
    monkeypatch.setitem(sys.modules, "seldom_used.inner", None)
    monkeypatch.delitem(sys.modules, "seldom_used.inner")
    return folder.name


def test_what_is_known_loads_nothing(package: str) -> None:
    defer(package, known=3)
    import seldom_used

    assert seldom_used.known == 3
    assert inspect.getmodule(test_what_is_known_loads_nothing) is sys.modules[__name__]
    assert isinstance(sys.modules[package], LazyModule)


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("import seldom_used; value = seldom_used.found", 1),
        ("from seldom_used import found as value", 1),
        ("from seldom_used import inner; value = inner.deeper", 2),
        ("from seldom_used.inner import deeper as value", 2),
    ],
)
def test_anything_else_loads_the_module(package: str, statement: str, value: int) -> None:
    defer(package)
    names: dict[str, object] = {}
    exec(statement, names)
    assert names["value"] == value
    assert type(sys.modules[package]) is not LazyModule


def test_a_loaded_module_stays(package: str) -> None:
    import seldom_used

    defer(package, found=3)
    assert seldom_used.found == 1
    assert sys.modules[package] is seldom_used


def test_an_attribute_that_is_not_there(package: str) -> None:
    defer(package)
    import seldom_used

    with pytest.raises(AttributeError, match="nothing"):
        _ = seldom_used.nothing


def test_lightning_comes_without_scipy_s_signals_and_they_are_there() -> None:
    code = (
        "from src.config.startup import importing\n"
        "with importing():\n"
        "    import pytorch_lightning\n"
        "import sys\n"
        "assert 'scipy.signal._signaltools' not in sys.modules\n"
        "from scipy.signal import convolve\n"
        "assert convolve([1, 2], [3]).tolist() == [3, 6]\n"
        "import scipy\n"
        "assert scipy.signal.windows.hann(1).tolist() == [1]\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)

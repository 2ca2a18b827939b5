"""Compiled functions as Python calls them: what they take, where they are kept, what is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from src.kernels import available, entry
from src.kernels.entry import Entry, kind_of, pack
from tests.commands import REPOSITORY


class Given(NamedTuple):
    """Numbers of both kinds, in turn."""

    first: int
    second: float
    third: int


def test_what_arguments_are() -> None:
    given = Given(1, 2.0, 3)
    assert kind_of(np.zeros((2, 3), np.int64)) == "int64[2]"
    assert kind_of(np.zeros(2, bool)) == "bool[1]"
    assert [kind_of(it) for it in (3, np.int64(3), 2.5)] == ["int", "int", "float"]
    assert kind_of(given) == "tests.kernels.test_entry.Given"


def test_integers_and_floats_are_packed_apart() -> None:
    array = np.zeros((2, 3))
    integers, floats = pack((7, array, 0.5, Given(1, 2.0, 3)))
    assert integers.tolist() == [7, array.ctypes.data, 2, 3, 1, 3]
    assert floats.tolist() == [0.5, 2.0]


def test_numba_is_not_imported_where_all_is_compiled() -> None:
    code = (
        "import sys; from src.kernels.entry import Entry\n"
        "assert Entry('src.kernels.doubling.double')(21) == 42\n"
        "print('numba' in sys.modules)"
    )
    assert available.is_available()  # now it is compiled
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "False"


def test_one_line_says_that_something_is_compiled_and_says_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "choose_folder", lambda: tmp_path)
    for _ in range(2):
        double = Entry("src.kernels.doubling.double", "compiling it")
        assert [double(1), double(2)] == [2, 4]
    assert capsys.readouterr().err == "compiling it\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_one_line_says_that_nothing_can_be_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ImportError("No module named 'numba'")

    monkeypatch.setattr(Entry, "__call__", fail)
    available.is_available.cache_clear()
    try:
        assert [available.is_available(), available.is_available()] == [False, False]
    finally:
        available.is_available.cache_clear()
    assert capsys.readouterr().err == (
        "numba can't compile here (No module named 'numba'): torch does its work, which is slower\n"
    )


def test_a_folder_that_cant_be_written_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__pycache__").write_text("no folder")
    home = tmp_path / "home"
    monkeypatch.setattr(entry, "SOURCE", tmp_path)
    monkeypatch.setattr(Path, "home", lambda: home)
    folder = entry.choose_folder.__wrapped__()
    assert folder.is_relative_to(home / ".cache" / "ncf-bench")
    assert folder.is_dir()

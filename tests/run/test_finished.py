"""metrics.json says that a run is finished, and that it is as it was written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from src.errors import DivergedError
from src.run.finished import RESULTS, forget, read_finished, write_finished

METRICS = {"val/ndcg@10": 0.25, "fit/epochs": 3}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    for name in RESULTS:
        (tmp_path / name).write_text(f"{name} holds this")
    write_finished(tmp_path, METRICS)
    return tmp_path


def test_what_was_written_is_read(finished: Path) -> None:
    assert read_finished(finished) == METRICS
    assert json.loads((finished / "metrics.json").read_text()) == METRICS
    assert not [file for file in finished.iterdir() if file.name.startswith(".")]


def test_the_checksums_are_those_of_a_well_known_tool(finished: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=finished, check=True)


@pytest.mark.parametrize("name", ["metrics.json", *RESULTS])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_found_and_named(
    finished: Path, name: str, bit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((finished / name).read_bytes())
    content[len(content) // 2] ^= 1 << bit
    (finished / name).write_bytes(content)
    assert read_finished(finished) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert name in line
    assert not (finished / "metrics.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", "NaN and more", "\x00\x00"])
def test_what_is_no_table_of_metrics_is_found_without_checksums(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics.json").write_text(content)
    assert read_finished(tmp_path) is None
    assert "metrics.json is damaged" in capsys.readouterr().out
    assert read_finished(tmp_path) is None  # and from then on it is unfinished
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_is_written_that_is_none(value: float, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="test/rmse is"):
        write_finished(tmp_path, {**METRICS, "test/rmse": value})
    assert not (tmp_path / "metrics.json").exists()


def test_forgotten_it_begins_anew(finished: Path) -> None:
    for name in ("checkpoints", "refit"):
        (finished / name).mkdir()
    (finished / "selection.json").touch()
    forget(finished)
    assert read_finished(finished) is None
    assert {file.name for file in finished.iterdir()} == {*RESULTS, "SHA256SUMS"}

"""Damaged files of every kind, met where commands meet them: one line, and nothing half made."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from src.data.data_options import PreparationOptions
from src.data.preparing import prepare
from src.data.sources.released import ReleasedNCF
from src.data.sources.source import Source
from src.run.finished import read_finished, write_finished
from src.training.checkpoint_files import is_whole
from tests.chaos.conftest import Note
from tests.chaos.damage import assert_one_line, damaged, numbers, told_in_one_line
from tests.chaos.test_malformed_inputs import READERS, RELEASED
from tests.data.fakes import FakeSource, interactions

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

USUAL = PreparationOptions(candidates="all")


def assert_nothing_half_made(cache: Path, source: Source, case: bytes) -> None:
    """Assert that preparing leaves the whole of its arrays or none, and no traces."""
    with told_in_one_line(case) as said:
        prepare("toy", source, USUAL, cache)
    made = sorted(file.name for file in cache.glob("*") if file.suffix != ".lock")
    assert len(made) == (not said), made
    assert not any(name.startswith(".") for name in made), made
    shutil.rmtree(cache, ignore_errors=True)


@pytest.mark.parametrize("reader", READERS)
@numbers(10, 200, "FILES")
def test_preparing_from_damaged_tables(
    reader: str, number: int, tmp_path: Path, note: Note
) -> None:
    name, content, open_source = READERS[reader]
    for harmed in damaged(content, number):
        (tmp_path / name).write_bytes(harmed)
        assert_nothing_half_made(tmp_path / "cache", open_source(tmp_path / name), harmed)
    note("damaged files of 15 kinds: found, made again, or refused in one line", number)


@pytest.mark.parametrize("name", RELEASED)
@numbers(10, 200, "FILES")
def test_preparing_from_damaged_splits(name: str, number: int, tmp_path: Path, note: Note) -> None:
    (tmp_path / "data").mkdir()
    for file, content in RELEASED.items():
        (tmp_path / "data" / file).write_bytes(content)
    for harmed in damaged(RELEASED[name], number):
        (tmp_path / "data" / name).write_bytes(harmed)
        source = ReleasedNCF("ml-1m", "/", str(tmp_path / "data"))
        assert_nothing_half_made(tmp_path / "cache", source, harmed)
    note("damaged files of 15 kinds: found, made again, or refused in one line", number)


@numbers(40, 200, "FILES")
def test_damaged_caches(number: int, tmp_path: Path, note: Note) -> None:
    seen = [[0, 1, 2, 3], [2, 3, 4], [5, 0, 1], [6, 7, 5]]
    times = [[*range(len(items))] for items in seen]
    data = replace(interactions(seen, 8, times), ratings=np.arange(13, dtype=np.float32))
    source, options = FakeSource(data), PreparationOptions(candidates=2)
    source.seconds = 0.0
    folder = tmp_path / f"toy-{prepare('toy', source, options, tmp_path).fingerprint[:16]}"
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    for place, name in enumerate(sorted(whole) * (1 + number // len(whole))):
        if place >= number:
            break
        *_, harmed = damaged(whole[name], place + 1)
        (folder / name).write_bytes(harmed)
        reads = source.reads
        with told_in_one_line(harmed):
            prepare("toy", source, options, tmp_path)
        now = {file.name: file.read_bytes() for file in folder.iterdir()}
        changed_nothing = name == "checksums.json" and source.reads == reads
        assert now == whole or changed_nothing, (name, harmed[:500])
        (folder / name).write_bytes(whole[name])
    assert [file.name for file in tmp_path.glob("*") if file.suffix != ".lock"] == [folder.name]
    note("damaged files of 15 kinds: found, made again, or refused in one line", number)


@pytest.mark.parametrize("name", ["config.yaml", "checkpoints/best.ckpt"])
@numbers(10, 200, "FILES")
def test_evaluating_damaged_runs(
    name: str, number: int, trained: TrainedHome, tmp_path: Path, call: Call, note: Note
) -> None:
    run = Path(shutil.copytree(trained.run.folder, tmp_path / "run"))
    content = (run / name).read_bytes()
    for harmed in damaged(content, number):
        (run / name).unlink()
        (run / name).write_bytes(harmed)
        evaluated = call(f"run={run}", "trainer=cpu", command="evaluate", home=trained.home)
        if evaluated.status:
            assert evaluated.status == 2
            (line,) = evaluated.err.splitlines()
            assert_one_line(line.removeprefix("error: "))
    note("damaged files of 15 kinds: found, made again, or refused in one line", number)


@pytest.mark.parametrize("name", ["metrics.json", "SHA256SUMS"])
@numbers(40, 200, "FILES")
def test_damaged_results(
    name: str, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], note: Note
) -> None:
    metrics = {"val/ndcg@10": 0.25, "fit/epochs": 3}
    (tmp_path / "history.csv").write_text("epoch,val/ndcg@10\n0,0.25\n")
    write_finished(tmp_path, metrics)
    whole = (tmp_path / name).read_bytes()
    for harmed in damaged(whole, number):
        write_finished(tmp_path, metrics)
        (tmp_path / name).write_bytes(harmed)
        found, said = read_finished(tmp_path), capsys.readouterr().out.splitlines()
        # an edit may leave what is meant as it was
        assert (found, len(said)) in ((None, 1), (metrics, 0)), harmed
    note("damaged files of 15 kinds: found, made again, or refused in one line", number)


@numbers(100, 2000, "FILES")
def test_flipped_bits_of_checkpoints(number: int, tmp_path: Path, note: Note) -> None:
    content = {"epoch": 3, "weights": torch.arange(300.0), "name": "neumf"}
    torch.save(content, tmp_path / "whole.ckpt")
    whole = (tmp_path / "whole.ckpt").read_bytes()
    rng = np.random.default_rng(0)
    found = 0
    for place in rng.integers(8 * len(whole), size=number):
        harmed = bytearray(whole)
        harmed[place // 8] ^= 1 << (place % 8)
        file = tmp_path / "harmed.ckpt"
        file.write_bytes(harmed)
        if is_whole(file):  # a bit of the padding, or of a date
            read = torch.load(file, weights_only=True)
            assert torch.equal(read.pop("weights"), content["weights"]), place
            assert read == {"epoch": 3, "name": "neumf"}
        else:
            found += 1
    assert found > number / 3
    note("a bit flipped in a checkpoint: found, or of no consequence", number)

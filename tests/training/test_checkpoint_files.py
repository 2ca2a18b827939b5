"""best.ckpt and last.ckpt: one file where they are of one epoch, never half a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from src.training.checkpoint_files import CheckpointFiles, replacing


def content(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "global_step": 10 * (epoch + 1), "weights": torch.full((3,), epoch)}


def epoch_in(file: Path) -> int:
    found = torch.load(file, weights_only=True)
    assert found["weights"].tolist() == [found["epoch"]] * 3
    return int(found["epoch"])


def no_links(*_: Any) -> None:
    raise OSError("no links here")


def save(files: CheckpointFiles, epoch: int, *, best: bool) -> tuple[int, int]:
    """Save an epoch as the trainer's callbacks do; return which epochs the two files hold."""
    if best:
        files.save_checkpoint(content(epoch), files.folder / "best.ckpt")
    files.save_checkpoint(content(epoch), files.folder / "last.ckpt")
    return epoch_in(files.folder / "best.ckpt"), epoch_in(files.folder / "last.ckpt")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_the_best_epoch_stays_when_later_ones_are_written(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    files = CheckpointFiles(tmp_path / "checkpoints")
    best, last = files.folder / "best.ckpt", files.folder / "last.ckpt"
    assert save(files, 0, best=True) == (0, 0)
    assert best.samefile(last) == links
    assert save(files, 1, best=False) == (0, 1)
    assert save(files, 2, best=True) == (2, 2)
    assert best.samefile(last) == links
    assert save(files, 3, best=False) == (2, 3)
    assert {file.name for file in files.folder.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_run_that_goes_on_does_not_take_an_earlier_best_for_its_last(tmp_path: Path) -> None:
    save(CheckpointFiles(tmp_path), 0, best=True)
    assert save(CheckpointFiles(tmp_path), 1, best=False) == (0, 1)


def test_what_can_t_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path)
    save(files, 0, best=True)
    with pytest.raises(AttributeError):
        files.save_checkpoint({**content(1), "local": lambda: None}, tmp_path / "best.ckpt")
    assert epoch_in(tmp_path / "best.ckpt") == 0
    assert {file.name for file in tmp_path.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_what_a_killed_process_left_is_not_written_over(tmp_path: Path) -> None:
    best = tmp_path / "best.ckpt"
    best.write_text("best")
    (tmp_path / ".last.ckpt.part").hardlink_to(best)
    with replacing(tmp_path / "last.ckpt") as part:
        part.write_text("last")
    assert (best.read_text(), (tmp_path / "last.ckpt").read_text()) == ("best", "last")


def test_other_folders_are_left_to_lightning(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path / "ours")
    files.save_checkpoint(content(4), tmp_path / "theirs" / "best.ckpt")
    files.save_checkpoint(content(4), tmp_path / "theirs" / "last.ckpt")
    assert not (tmp_path / "theirs/best.ckpt").samefile(tmp_path / "theirs/last.ckpt")

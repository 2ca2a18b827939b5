"""How best.ckpt and last.ckpt are written: whole or not at all, and those of one epoch once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

BEST, LAST = "best.ckpt", "last.ckpt"


class CheckpointFiles(TorchCheckpointIO):
    """Writes a folder's checkpoints; where an epoch is the best, last.ckpt is the same file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._best: tuple[int, int] | None = None
        """Epoch and step that best.ckpt was written at."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint; those of other folders, by callbacks of the user's, as Lightning does.

        Lightning's way is not taken for ours: it moves a file there from the system's temporary
        folder, which between two disks means writing over what is there, best.ckpt's bytes too.
        """
        file, at = Path(path), (checkpoint["epoch"], checkpoint["global_step"])
        if file.parent != self.folder:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.name == LAST and at == self._best:
            share(self.folder / BEST, file)
            return
        with replacing(file) as part:
            torch.save(checkpoint, part)
        if file.name == BEST:
            self._best = at


def share(file: Path, other: Path) -> None:
    """Make `other` a second name of the file; a copy where the file system has no links."""
    with replacing(other) as part:
        try:
            part.hardlink_to(file)
        except OSError:
            shutil.copyfile(file, part)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a name to write to; what is written takes the place of `file` at the end, at once."""
    part = file.with_name(f".{file.name}.part")
    # left by a process that was killed, perhaps as another name of a checkpoint
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)

"""The checkpoints of a run: written whole or not at all, those of one epoch once, and checked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from src.config.durable import replacing, share
from src.errors import UserError

BEST, LAST = "best.ckpt", "last.ckpt"
WITHIN = "unfinished.ckpt"
"""Written within an epoch, and only good for going on from there."""

ZIP = b"PK"
"""How the files begin that torch writes."""

# All that is raised where the parts of a zip file contradict each other
DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # an unknown way of packing
    RuntimeError,  # or one that wants a password
    ValueError,
    OSError,
)


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
        else:
            with replacing(file) as part:
                torch.save(checkpoint, part)
        if file.name == BEST:
            self._best = at
        elif file.name == LAST:
            # what was written within the epoch that is over now
            (self.folder / WITHIN).unlink(missing_ok=True)

    def load_checkpoint(self, path: str | Path, *how: Any, **options: Any) -> dict[str, Any]:
        """Load a checkpoint. Raises UserError for one that is damaged."""
        check_whole(Path(path))
        return super().load_checkpoint(path, *how, **options)


def is_whole(file: Path) -> bool:
    """Tell whether a checkpoint is as it was written, by the checksums that torch puts in it."""
    try:
        torch._C.PyTorchFileReader(str(file))  # which is strict where Python's reader is lenient
        with zipfile.ZipFile(file) as content:
            return content.testzip() is None
    except DAMAGES:
        return False


def check_whole(file: Path) -> None:
    """Raise UserError for a file that is not a checkpoint as it was written."""
    if not file.exists():
        raise UserError(f"no checkpoint at {file}")
    with file.open("rb") as content:
        if content.read(len(ZIP)) != ZIP:
            raise UserError(f"{file} is not a checkpoint of this project")
    if not is_whole(file):
        raise UserError(f"{file} is damaged: its checksums differ")


def read_epoch(checkpoint: Path) -> int:
    """Return the epoch, from 0, after which the checkpoint was written, or within which."""
    # mapped, so that only what is read comes from the disk
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["epoch"])


def find_start(folder: Path) -> Path | None:
    """Return the checkpoint in `folder` to go on from, the latest that serves; None to begin anew.

    Damaged ones are named in one line. Those that don't serve are removed.
    """
    whole = [name for name in (WITHIN, LAST, BEST) if _keep_whole(folder / name)]
    # after the first epoch, the weights to be tested may be in best.ckpt alone
    if BEST in whole or (WITHIN in whole and read_epoch(folder / WITHIN) == 0):
        return folder / whole[0]
    for name in whole:
        (folder / name).unlink()
    return None


def _keep_whole(file: Path) -> bool:
    if not file.exists():
        return False
    if is_whole(file):
        return True
    print(f"{file} is damaged: it is left out", flush=True)
    file.unlink()
    return False

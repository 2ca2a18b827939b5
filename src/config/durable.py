"""Files that are there whole or not at all, whenever the process or the machine stops."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

Check = Callable[[], None]
_check: ContextVar[Check | None] = ContextVar("check", default=None)


@contextmanager
def guarded_by(check: Check) -> Iterator[None]:
    """Call `check` before each file takes its place; what it raises leaves the file as it was."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a name to write to; what is written takes the place of `file` at the end, at once.

    It lies beside `file`: between two disks a rename would be a copy.
    """
    part = file.with_name(f".{file.name}.part")
    # left by a process that was killed, perhaps as another name of a checkpoint
    part.unlink(missing_ok=True)
    try:
        yield part
        flush_to_disk(part)
        check = _check.get()
        if check is not None:
            check()
        part.replace(file)
        flush_to_disk(file.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Give a folder to write to; it becomes `folder`, which isn't there, at the end, at once."""
    working = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    try:
        yield working
        flush_files(working)
        working.rename(folder)
        flush_to_disk(folder.parent)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise


def share(file: Path, other: Path) -> None:
    """Make `other` a second name of the file; a copy where the file system has no links."""
    with replacing(other) as part:
        try:
            part.hardlink_to(file)
        except OSError:
            shutil.copyfile(file, part)


def write_text(file: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(file) as part:
        part.write_text(text)


def flush_to_disk(path: Path) -> None:
    """Return when the disk has what was written to a file, or a folder's list of names."""
    if path.is_dir() and os.name != "posix":
        return  # such folders can't be opened
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_files(folder: Path) -> None:
    """Return when the disk has all files below a folder, and their names."""
    for path in (*folder.rglob("*"), folder):
        with suppress(FileNotFoundError):  # renamed meanwhile, by the thread that sends the record
            flush_to_disk(path)

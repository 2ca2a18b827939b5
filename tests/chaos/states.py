"""All states that a folder goes through while a command changes its files, one by one.

Dying at change n leaves what n - 1 changes made of the folder: no more, because each change waits
for the one before, and no less, because a process that is killed takes nothing back. So one run
that nothing disturbs, copied before each of its changes, shows what dying at any of them leaves.
What a power cut leaves are the same names, but of each file only what was last flushed to the disk.

A dead process's locks are gone, as from copies; the lease of a run says when it was last renewed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BEFORE, AFTER = 0, 1
"""What faults.c tells; other numbers: AFTER a flush of the file that has this inode."""
BLOCK = 4096
COARSE = 50_000_000
"""Nanoseconds in which a file may change twice and have one time of change."""
MAPPED = "-shm"
"""Ends the name of what SQLite changes as memory, which no call shows; it is made anew."""
LOG, HEADER, FRAME = "-wal", 32, 24
"""Ends the name of SQLite's log; bytes of its header, and of what each page in it begins with."""
LEASE = ".lease"


class File(NamedTuple):
    """A file of a state."""

    digest: str
    """Of its content."""
    changed: int
    """When its content was last changed, in nanoseconds since 1970."""
    inode: int
    """Names of one file have the same."""


State = dict[str, File | None]
"""By path within the folder; None is a folder."""


class States:
    """The states of one folder, told by `watch`; what is in several of them is kept once."""

    def __init__(self, folder: Path) -> None:
        """Begin with a folder that the disk has as it is."""
        self.folder = folder
        self.killed: list[State] = []
        """What dying at change 1, 2, ... leaves."""
        self.cut_off: list[State] = []
        """What a power cut then leaves."""
        self.unseen: set[str] = set()
        """Files that changed without a change that was told."""
        self._contents: dict[str, list[bytes]] = {}
        self._logs: dict[str, str] = {}
        self._blocks: dict[bytes, bytes] = {}
        self._seen: dict[str, tuple[os.stat_result, int, str]] = {}
        self._empty = self._keep(b"")
        self._last = self._read()
        self._flushed = {file.inode: file for file in self._last.values() if file}

    def watch(self, told: int) -> None:
        """Take a copy of the folder, before or after a change."""
        state = self._read()
        if told == BEFORE:
            self._compare(state)
            self.killed.append(state)
            self._flushed = {
                file.inode: self._flushed.get(file.inode, file._replace(digest=self._empty))
                for file in state.values()
                if file
            }
            self.cut_off.append(
                {path: file and self._flushed[file.inode] for path, file in state.items()}
            )
        elif told != AFTER:
            self._flushed |= {f.inode: f for f in state.values() if f and f.inode == told}
        self._last = state

    def restore(self, state: State) -> None:
        """Make the folder what it was, with its files' times.

        The run's lease is as it is after a moment: whoever starts again in an hour finds it stale,
        and takes the run over all the sooner.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        names: dict[int, Path] = {}
        for path, file in state.items():  # folders come before what is in them
            place = self.folder / path
            if file is None:
                place.mkdir()
            elif file.inode in names:
                place.hardlink_to(names[file.inode])
            else:
                place.write_bytes(b"".join(self._contents[file.digest]))
                moment = time.time_ns() if place.name == LEASE else file.changed
                os.utime(place, ns=(moment, moment))
                names[file.inode] = place

    def read_of(self, path: str, file: File) -> tuple[str, int] | None:
        """Return what of a file is read by others: the digest and the time of change, if any."""
        if is_unread(path):
            return None
        if not path.endswith(LOG):
            return file.digest, file.changed
        if file.digest not in self._logs:
            log = b"".join(self._contents[file.digest])
            self._logs[file.digest] = hashlib.sha256(committed(log)).hexdigest()
        return self._logs[file.digest], 0

    def _compare(self, state: State) -> None:
        """Note what has changed since the change before."""
        paths = {path for path in state.keys() | self._last.keys() if not path.endswith(MAPPED)}
        self.unseen |= {
            path
            for path in paths
            if (path in state) != (path in self._last)
            or content_of(state[path]) != content_of(self._last[path])
        }

    def _read(self) -> State:
        """Return the state that the folder is in."""
        state: State = {}
        for entry in _walk(self.folder):
            path = os.path.relpath(entry.path, self.folder)
            if entry.is_dir(follow_symlinks=False):
                state[path] = None
                continue
            about = entry.stat(follow_symlinks=False)
            state[path] = File(self._digest(path, about), about.st_mtime_ns, about.st_ino)
        return state

    def _digest(self, path: str, about: os.stat_result) -> str:
        """Return the digest of a file, which is read again only where it may have changed."""
        known, read, digest = self._seen.get(path, (None, 0, ""))
        if (
            known is None
            or path.endswith(MAPPED)
            or _version(known) != _version(about)
            or read - max(about.st_mtime_ns, about.st_ctime_ns) < COARSE
        ):
            read = time.time_ns()
            digest = self._keep((self.folder / path).read_bytes())
            self._seen[path] = (about, read, digest)
        return digest

    def _keep(self, content: bytes) -> str:
        """Keep a content, in blocks, most of which others have too; return its digest."""
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._contents:
            parts = (content[n : n + BLOCK] for n in range(0, len(content), BLOCK))
            self._contents[digest] = [self._blocks.setdefault(part, part) for part in parts]
        return digest


def content_of(file: File | None) -> str | None:
    return file and file.digest


def distinct(states: States, listed: list[State], *, unread: bool) -> dict[int, State]:
    """Return the states in which a file's name, content or time differs, by their first change.

    Without `unread`, what nobody reads makes no difference. Files have other inodes in each copy;
    which names are one file's is a difference, though.
    """
    first: dict[int, tuple[int, State]] = {}
    for number, state in enumerate(listed, start=1):
        names: dict[int, str] = {}
        known = [
            (
                path,
                file and names.setdefault(file.inode, path),
                file and ((file.digest, file.changed) if unread else states.read_of(path, file)),
            )
            for path, file in sorted(state.items())
        ]
        first.setdefault(hash(tuple(known)), (number, state))
    return dict(first.values())


def is_unread(path: str) -> bool:
    """Tell whether nobody reads what a killed process left of a file.

    That is what had not been put in its place by `replacing` (src/config/durable.py) or by a
    `Delivery`: it is removed or emptied before it is written again, nothing else opens it, and no
    record takes files of such names. And it is SQLite's index of a database's log, which the first
    who opens the database makes anew.
    """
    name = path.rpartition("/")[2]
    half_written = name.startswith(".") and name.endswith(".part")
    return half_written or name.endswith((MAPPED, ".sent-new"))


def committed(log: bytes) -> bytes:
    """Return a log of SQLite's up to its last transaction that has an end, or all of a short one.

    What comes after is of no transaction, and SQLite reads no further (its file format, section 4):
    frames that were not ended, and frames of a log that was before, which have another salt.
    """
    page = int.from_bytes(log[8:12], "big")
    salt, end = log[16:24], 0
    for start in range(HEADER, len(log) - FRAME - page + 1, FRAME + page) if page else ():
        if log[start + 8 : start + 16] != salt:
            break
        if log[start + 4 : start + 8] != bytes(4):  # the database's size, where one ends
            end = start + FRAME + page
    return log[: max(end, HEADER)]


def _version(about: os.stat_result) -> tuple[int, ...]:
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)

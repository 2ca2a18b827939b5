"""A record's journal: all that is to be recorded, kept in the run's own folder until it is sent."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

FOLDER = ".records"
SUFFIX = ".jsonl"
HEADER = {"uri", "experiment", "run_name", "artifacts", "started", "tags", "continuing"}
PREFIX = "rec-"
"""Begins a record's own id, which no run id of MLflow's begins with."""


class JournalEntry(NamedTuple):
    """A line of a journal."""

    kind: str
    """header, begin, params, tags, metrics, epoch, files, view or finish."""
    at: int
    """When it was written, in milliseconds since 1970."""
    content: dict[str, Any]
    end: int
    """Where the next line begins, in bytes."""


class Journal:
    """A file of JSON objects, one a line, that one process at a time appends to.

    What was appended survives a process that is killed, and after `flush` a power cut. The process
    that writes holds a lock, which the system releases however the process ends.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None
        self._lock = FileLock(file.with_suffix(".lock"), thread_local=False)
        self._closing = Lock()

    @classmethod
    def create(cls, folder: Path, header: Mapping[str, Any]) -> Journal:
        """Begin a record of what `folder` comes to, and open it for writing.

        `header` has what HEADER names: where it is to be sent, and as what.
        """
        place = folder / FOLDER
        place.mkdir(parents=True, exist_ok=True)
        journal = cls(place / f"{PREFIX}{uuid.uuid4().hex}{SUFFIX}")
        journal.open()
        journal.append("header", **header)
        return journal

    @property
    def name(self) -> str:
        """The record's own id."""
        return self.file.stem

    @property
    def folder(self) -> Path:
        """The folder of the run that is recorded."""
        return self.file.parent.parent

    def open(self, wait: float = -1) -> bool:
        """Hold the journal for writing; False if another process still does after `wait` seconds.

        A line that was cut off in the middle is dropped. A negative `wait` has no end.
        """
        try:
            self._lock.acquire(timeout=wait)
        except Timeout:
            return False
        whole = max((entry.end for entry in self.read()), default=0)
        self._descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._descriptor, whole)
        return True

    def begin(self) -> None:
        """Note that this process goes on with the record, and on which machine that is."""
        self.append("begin", host=socket.gethostname(), pid=os.getpid())

    def append(self, kind: str, **content: Any) -> None:
        """Add an entry. Raises OSError, and leaves the journal as it was, when the disk is full."""
        assert self._descriptor is not None
        entry = {"kind": kind, "at": int(time.time() * 1000), **content}
        line = (json.dumps(entry, default=str) + "\n").encode()
        size = os.fstat(self._descriptor).st_size
        try:
            written = os.write(self._descriptor, line)
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def flush(self) -> None:
        """Wait until the disk itself keeps what was appended; any thread may call it."""
        with self._closing:
            if self._descriptor is not None:
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Let other processes go on with the journal."""
        with self._closing:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
        self._lock.release()

    def read(self, start: int = 0) -> Iterator[JournalEntry]:
        """Yield the entries from the byte `start` on; a line that is cut off is none yet."""
        if not self.file.exists():
            return
        with self.file.open("rb") as lines:
            lines.seek(start)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                start += len(line)
                entry = _parse(line)
                if entry is not None:
                    yield JournalEntry(entry.pop("kind"), entry.pop("at"), entry, start)

    @property
    def header(self) -> dict[str, Any] | None:
        """Where the record is to be sent; None of a journal whose first line is damaged."""
        first = next(self.read(), None)
        whole = first is not None and first.kind == "header" and set(first.content) == HEADER
        return first.content if first is not None and whole else None

    @property
    def ended(self) -> bool:
        """Whether the last that was written is the record's end."""
        kinds = [entry.kind for entry in self.read()]
        return bool(kinds) and kinds[-1] == "finish"

    @property
    def host(self) -> str | None:
        """The machine of the process that wrote last."""
        hosts = [entry.content.get("host") for entry in self.read() if entry.kind == "begin"]
        return hosts[-1] if hosts else None


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's object; None for one that is damaged, which costs that line alone."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"kind", "at"} <= set(entry) else None


def list_journals(folder: Path) -> list[Journal]:
    """Return the journals of the records of what lies in `folder`."""
    return [Journal(file) for file in sorted((folder / FOLDER).glob(f"*{SUFFIX}"))]


def find_journal(folder: Path, header: Mapping[str, Any]) -> Journal | None:
    """Return the newest journal of the folder that goes to the same place; None without one."""
    known: list[tuple[int, Journal]] = []
    for journal in list_journals(folder):
        first = next(journal.read(), None)
        if first is not None and all(
            first.content.get(key) == header[key] for key in ("uri", "experiment")
        ):
            known.append((first.at, journal))
    return max(known, key=lambda pair: pair[0])[1] if known else None

"""Who is at a run: one process at a time, also where one stands still for long.

The operating system's lock on a file tells whether its holder lives. A holder that is stopped (its
machine sleeps, or hangs) keeps the lock but no longer renews the lease: after STALE seconds another
process takes the next lock, and with it the run. What the first would write afterwards is refused.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from src.config.durable import guarded_by, write_text
from src.errors import UserError

BEAT, STALE = 5.0, 60.0
"""Seconds between renewals, and after which a lease that was not renewed is taken over."""
POLL = 0.5

LEASE = ".lease"


class LostLeaseError(UserError):
    """Raised where a process would write to a run that another has taken over. Status 1."""

    status = 1


@contextmanager
def holding(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the run in `folder`, which is made, as the only process.

    Without `wait` raises UserError where another process is at it. Within, files that are written
    whole or not at all are refused with LostLeaseError once another process has taken over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, generation = _acquire(folder, wait=wait)
    try:
        token = uuid.uuid4().hex
        write_text(folder / LEASE, json.dumps({"generation": generation, "token": token}))
        ended = Event()

        def check() -> None:
            if _read(folder).get("token") != token:
                raise LostLeaseError(
                    f"{folder} was taken over by another process while this one stood still"
                )

        def renew() -> None:
            while not ended.wait(BEAT):
                if _read(folder).get("token") == token:
                    (folder / LEASE).touch()

        Thread(target=renew, name="lease", daemon=True).start()
        try:
            with guarded_by(check):
                yield
        finally:
            ended.set()
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Tell whether a process is at the run, which it renews."""
    try:
        _acquire(folder, wait=False)[0].release()
    except UserError:
        return True
    return False


def _acquire(folder: Path, *, wait: bool) -> tuple[BaseFileLock, int]:
    """Take the lock of this generation, or of the next where the lease is stale."""
    said = False
    while True:
        generation = int(_read(folder).get("generation", 0))
        for candidate in (generation, generation + 1) if _is_stale(folder) else (generation,):
            lock = FileLock(folder / f".lock-{candidate}")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            if int(_read(folder).get("generation", 0)) == generation:
                return lock, candidate
            lock.release()  # another process was quicker
        if not wait:
            raise UserError(f"another process is at {folder}")
        if not said:
            print(f"waiting for another process that is at {folder}", flush=True)
            said = True
        time.sleep(POLL)


def _read(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / LEASE).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _is_stale(folder: Path) -> bool:
    try:
        return time.time() - (folder / LEASE).stat().st_mtime > STALE
    except FileNotFoundError:
        return False

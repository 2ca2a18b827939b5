"""Hashes of files: to tell a good download from a bad one, and one data set from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def sha256(path: Path) -> str:
    """Return the SHA-256 of the file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path) -> str:
    """Return the MD5 of the file's content, in hex: only to compare with what others publish."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def git_blob_id(path: Path) -> str:
    """Return git's id of the file's content, which GitHub shows for a released file."""
    header = b"blob %d\0" % path.stat().st_size
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.sha1(header, usedforsecurity=False)
        ).hexdigest()


def fingerprint(files: Iterable[Path], **options: str | None) -> str:
    """Return a hex digest of the files' content, in order, and of the options for reading them."""
    parts = {"files": [sha256(path) for path in files], "options": options}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

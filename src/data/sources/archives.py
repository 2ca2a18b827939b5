"""Opening a file that may be packed: plain, .gz, or one member of a .zip."""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from src.errors import UserError, shorten

# What Python's own readers raise for what is no such archive, or a damaged one
DAMAGE = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
)


@contextmanager
def open_unpacked(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    """Open `path` for reading bytes, unpacked as they are read; `member` names a file in a .zip.

    A .zip without `member` must hold one file. Raises UserError when the file can't be read,
    also when that shows only in the body of the `with`.
    """
    # An archive is never extracted: the one member wanted is read straight out of it, so that no
    # member's name ("../../.bashrc") can decide where something is written.
    try:
        if path.suffix == ".zip":
            with _open_zip(path) as archive, _open_member(archive, path, member) as file:
                yield file
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                yield file  # type: ignore[misc]
        else:
            with path.open("rb") as file:
                yield file
    except DAMAGE as error:
        problem = shorten(error) or type(error).__name__
        raise UserError(f"{path} is damaged ({problem}): delete it and get it again") from error
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except NotImplementedError as error:  # of a version that Python's zipfile does not know
        raise UserError(f"{path} can't be unpacked here: {error}") from error
    except (ValueError, IndexError, OverflowError) as error:  # of wrong sizes and places in it
        raise zipfile.BadZipFile(str(error)) from error


def _open_member(archive: zipfile.ZipFile, path: Path, member: str | None) -> IO[bytes]:
    files = [name for name in archive.namelist() if not name.endswith("/")]
    if member is None:
        if len(files) != 1:
            raise UserError(f"{path} holds {len(files)} files: unpack it, data.path names one file")
        member = files[0]
    if member not in files:
        raise UserError(
            f"{path} has no {member} in it, only {shorten(', '.join(files[:5]) or 'nothing')}"
        )
    try:
        return archive.open(member)
    except RuntimeError as error:  # encrypted, or packed in a way that zipfile does not know
        raise UserError(f"{member} in {path} can't be unpacked here: {shorten(error)}") from error
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise zipfile.BadZipFile(str(error)) from error

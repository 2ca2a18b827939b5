"""Opening a file that may be packed: plain, .gz, or one member of a .zip."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from src.errors import UserError


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
            with zipfile.ZipFile(path) as archive, _open_member(archive, path, member) as file:
                yield file
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                yield file  # type: ignore[misc]
        else:
            with path.open("rb") as file:
                yield file
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and get it again") from error
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error


def _open_member(archive: zipfile.ZipFile, path: Path, member: str | None) -> IO[bytes]:
    files = [info.filename for info in archive.infolist() if not info.is_dir()]
    if member is None:
        if len(files) != 1:
            raise UserError(f"{path} holds {len(files)} files: unpack it, data.path names one file")
        member = files[0]
    if member not in files:
        raise UserError(f"{path} has no {member} in it, only {', '.join(files[:5]) or 'nothing'}")
    try:
        return archive.open(member)
    except RuntimeError as error:  # encrypted, or packed in a way that zipfile does not know
        raise UserError(f"{member} in {path} can't be unpacked here: {error}") from error

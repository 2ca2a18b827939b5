"""Downloading one file whose hash is known, from the first mirror that serves it whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from src.errors import UserError

log = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 10, 30
CHUNK_BYTES = 1 << 16


def download(
    urls: Sequence[str],
    target: Path,
    hash_file: Callable[[Path], str],
    expected: str,
    advice: str,
) -> None:
    """Download the file whose `hash_file` is `expected` to `target`; no other file gets that name.

    Processes that want the same file wait for the first of them and share what it got.
    Raises UserError: `advice`, which says how to get the file by hand, followed by what went wrong
    at each mirror.
    """
    from filelock import FileLock

    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock")):
            if target.exists():
                return
            try:
                _fetch_from_first_good(urls, part, hash_file, expected, advice)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{target} can't be written ({error.strerror or error}): "
            "set data.root to a folder with write permission and free space"
        ) from error
    log.info("downloaded %s", target)


def _fetch_from_first_good(
    urls: Sequence[str], part: Path, hash_file: Callable[[Path], str], expected: str, advice: str
) -> None:
    failures = []
    for url in urls:
        log.info("downloading %s", url)
        failure = _fetch(url, part)
        if failure is None:
            got = hash_file(part)
            if got == expected:
                return
            failure = f"checksum mismatch, expected {expected}, got {got}"
        log.warning("%s failed: %s", url, failure)
        failures.append(f"{urlsplit(url).hostname}: {failure}")
    raise UserError(
        f"{advice} (download failed: {'; '.join(failures)}), "
        "or try data=synthetic, which needs no download"
    )


def _fetch(url: str, part: Path) -> str | None:
    """Write what `url` serves to `part`; return why that failed, or None when it did not."""
    import requests
    from tqdm import tqdm

    # identity: the sizes in the progress bar are then those of the file
    headers = {"Accept-Encoding": "identity"}
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        response = requests.get(url, stream=True, timeout=timeout, headers=headers)
        response.raise_for_status()
    except OSError as error:  # all that requests raises, and a certificate file that is missing
        return _describe_cause(error)
    size = int(response.headers.get("Content-Length", 0)) or None
    try:
        with (
            response,
            part.open("wb") as file,
            # disable=None: no bar where stderr is no terminal
            tqdm(total=size, desc=part.stem, unit="B", unit_scale=True, disable=None) as bar,
        ):
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
    except requests.RequestException as error:
        return _describe_cause(error)
    return None


def _describe_cause(error: Exception) -> str:
    """Describe the cause in one line, without the layers around it that repeat host and URL."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return " ".join(str(cause or error).split())

"""Downloading one file from the first mirror that serves it whole: its hash is known, or kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from src.data.sources.checksums import sha256
from src.errors import UserError

log = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 10, 30
CHUNK_BYTES = 1 << 16


def download(
    urls: Sequence[str],
    target: Path,
    hash_file: Callable[[Path], str],
    expected: str | None,
    advice: str,
) -> None:
    """Download the file whose `hash_file` is `expected` to `target`; no other file gets that name.

    `expected` is None where nobody knows it: then the first file that is served is taken.

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


def download_pinned(urls: Sequence[str], target: Path, advice: str) -> None:
    """Download a file whose hash nobody published, and keep its SHA-256 beside it from then on.

    A file that is there is left as it is. Raises UserError when it is no more the one that was
    downloaded, and as `download` does.
    """
    pin = target.with_name(f"{target.name}.sha256")
    pinned = pin.read_text().split()[0] if pin.is_file() and pin.stat().st_size else None
    if not target.exists():
        download(urls, target, sha256, pinned, advice)
        if pinned is None:
            got = sha256(target)
            pin.write_text(f"{got}  {target.name}\n")  # as sha256sum -c reads it
            log.info("its SHA-256 is %s, kept in %s", got, pin.name)
    elif pinned not in (None, sha256(target)):
        raise UserError(
            f"{target} is not the file that was downloaded, whose SHA-256 is in {pin.name}: delete "
            f"it to download it again, or {pin.name} to use it as it is"
        )


def _fetch_from_first_good(
    urls: Sequence[str],
    part: Path,
    hash_file: Callable[[Path], str],
    expected: str | None,
    advice: str,
) -> None:
    failures = []
    for url in urls:
        log.info("downloading %s", url)
        failure = _fetch(url, part)
        if failure is None:
            got = hash_file(part)
            if expected in (None, got):
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

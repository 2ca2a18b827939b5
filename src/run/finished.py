"""What says that a run is finished: metrics.json, written last, with checksums beside it."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

from src.config.durable import flush_files, write_text
from src.errors import DivergedError

METRICS, SUMS = "metrics.json", "SHA256SUMS"
CHECKPOINTS, SELECTION, REFIT = "checkpoints", "selection.json", "refit"
RESULTS = ("history.csv", "validation.parquet", "per_user.parquet", "ranks.parquet")


def write_finished(folder: Path, metrics: Mapping[str, float]) -> None:
    """Write metrics.json, after everything else is on the disk, and checksums of the results.

    `sha256sum -c SHA256SUMS` checks them. Raises DivergedError for a metric that is no number.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergedError(f"{name} is {value}: the model's scores are no numbers")
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    flush_files(folder)
    results = {name: (folder / name).read_bytes() for name in RESULTS if (folder / name).exists()}
    contents = {**results, METRICS: text.encode()}
    lines = [f"{hashlib.sha256(one).hexdigest()}  {name}\n" for name, one in contents.items()]
    write_text(folder / SUMS, "".join(lines))
    write_text(folder / METRICS, text)


def read_finished(folder: Path) -> dict[str, float] | None:
    """Return what the run in `folder` came to; None while it is not finished.

    Damaged results are named in one line, and metrics.json is removed: the run is unfinished then.
    """
    file = folder / METRICS
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    damaged = [name for name, digest in _read_sums(folder) if _digest(folder / name) != digest]
    try:
        metrics = json.loads(content)
        if not damaged and isinstance(metrics, dict):
            return metrics
    except ValueError:  # no text, or no JSON
        damaged = [METRICS]
    print(f"{folder}: {', '.join(damaged or [METRICS])} is damaged: it is made again", flush=True)
    file.unlink()
    return None


def forget_parts(folder: Path) -> None:
    """Remove what only a run that is cut off needs."""
    (folder / SELECTION).unlink(missing_ok=True)
    shutil.rmtree(folder / REFIT, ignore_errors=True)


def forget(folder: Path) -> None:
    """Remove all that the run in `folder` came to, so that it begins anew."""
    (folder / METRICS).unlink(missing_ok=True)
    forget_parts(folder)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _read_sums(folder: Path) -> list[tuple[str, str]]:
    """Return names and digests; none of runs of earlier versions, or where the list is damaged."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    known = (METRICS, *RESULTS)
    parts = [line.partition("  ") for line in lines]
    return [(name, digest) for digest, _, name in parts if name in known]


def _digest(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None

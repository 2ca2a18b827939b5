"""Where a run comes from: code, configuration and sweep, as tags."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from src.config.compose import Plain, given_words, is_job
from src.config.paths import CONF
from src.errors import UserError
from src.reporting.palette import distinct_color
from src.run.code_identity import code_version
from src.run.finished import read_finished
from src.run.lookup import CHOSEN
from src.tracking.tracker import COLOR, PARENT

CODE = CONF.parent
FILE = "provenance.json"


def collect_tags(options: Plain, folder: Path) -> dict[str, str]:
    """Return the tags of a run that Hydra started, which writes to `folder`."""
    commit = git_commit()
    tags = {
        "model": options["model"]["name"],
        "data": options["data"]["name"],
        "protocol": options["protocol"]["name"],
        "seed": str(options["seed"]),
        "output_folder": str(folder.resolve()),
        "overrides": " ".join(_without_sweep(given_words())),
        "git_commit": commit,
        "code_version": code_version(),
        "machine": machine(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "src.train",
        "mlflow.source.git.commit": commit.removesuffix("-dirty"),
    }
    if is_job():
        tags |= {"sweep": options["sweep"]["name"], "job": folder.name}
        if options["sweep"]["place"] is not None:
            tags[COLOR] = distinct_color(options["sweep"]["place"])
        if options["sweep"]["parent"] is not None:
            tags[PARENT] = options["sweep"]["parent"]
    return tags


def check_part(folder: Path, fingerprint: str, *, again: bool) -> None:
    """Raise UserError unless the run in `folder` may be part of a model that chooses on validation.

    It was trained on the same data, and has weights that have not seen validation; `again`: others
    that have, too.
    """
    known = read_provenance(folder)
    if known.get("data_fingerprint") != fingerprint:
        raise UserError(
            f"{folder} was trained on other data or another split, which may hold what is "
            "validation here: train it with the same data and protocol"
        )
    was_refit = "refit/seconds" in (read_finished(folder) or {})
    if was_refit and not (folder / CHOSEN).is_file():
        raise UserError(
            f"{folder} was trained again with validation, on which weights are chosen here, and "
            "has kept nothing of before: train it again"
        )
    if again and not was_refit:
        raise UserError(
            f"protocol.refit=true: {folder} was not trained again with validation; train it so too"
        )


def check_data(folder: Path, fingerprint: str) -> None:
    """Raise UserError when the run in `folder`, which goes on, was begun with other data."""
    if read_provenance(folder).get("data_fingerprint", fingerprint) != fingerprint:
        raise UserError(f"{folder}: the data have changed since this run began: start anew")


def read_provenance(folder: Path) -> dict[str, str]:
    """Return what is known of the run in `folder`; nothing where that is missing or damaged."""
    try:
        known = json.loads((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _without_sweep(overrides: Sequence[str]) -> list[str]:
    """Return the words of a command line without what a sweep tells its jobs."""
    return [word for word in overrides if not word.startswith(("sweep.", "tracking."))]


def git_commit() -> str:
    """Return the code's commit, with "-dirty" behind it where files differ; else "unknown"."""
    # an installed copy may lie within a repository of the user's own
    if not (CODE / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            cwd=CODE,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def machine() -> str:
    """Name processor, cores and library versions, for the record."""
    cpu = Path("/proc/cpuinfo")
    names = [
        line.split(":")[1].strip()
        for line in (cpu.read_text().splitlines() if cpu.exists() else [])
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, Python {platform.python_version()}, torch {version('torch')}"

"""The plan of a sweep: its jobs, their folders, and its name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from src.config.build import Component, read
from src.config.compose import Plain, plain
from src.config.names import check_name
from src.errors import UserError
from src.run.finished import read_finished
from src.run.identity import make_key, read_fingerprint

LONGEST_NAME = 80


@dataclass(frozen=True)
class SweepOptions:
    """The options of a sweep, explained in conf/train.yaml."""

    name: Any = None
    rerun: bool = False
    folder: str = ""
    jobs: str = ""
    parent: str | None = None
    swept: list[str] | None = None
    place: int | None = None


@dataclass(frozen=True)
class Job:
    """One combination of options in a sweep."""

    words: list[str]
    """The words of the command line that would run this job alone."""
    swept: dict[str, str]
    """The options of the job in which the sweep's jobs differ."""
    options: Plain
    key: str
    folder: Path
    place: int = 0
    """Its number in the sweep, from 0."""
    fingerprint: str | None = None
    """That of its data; None when their options are mistaken."""

    @property
    def metrics(self) -> dict[str, float] | None:
        """The metrics of the finished job; None while it is not finished."""
        return read_finished(self.folder)

    @property
    def wanted(self) -> bool:
        """Whether the job has to be run."""
        return self.options["sweep"]["rerun"] or self.metrics is None


def plan(composed: Sequence[tuple[list[str], Plain]]) -> list[Job]:
    """Return the jobs of these words and options, each once; their data are prepared for that."""
    swept = list_swept([words for words, _ in composed])
    fingerprints: dict[str, str | None] = {}
    jobs: dict[str, Job] = {}
    for words, options in composed:
        data = json.dumps(options["data"], sort_keys=True)
        if data not in fingerprints:
            fingerprints[data] = read_fingerprint(options)
        key = make_key(options, fingerprints[data])
        folder = Path(options["sweep"]["jobs"]) / key
        said = dict(word.split("=", 1) for word in words)
        own = {option: said[option] for option in swept}
        job = Job(words, own, options, key, folder, len(jobs), fingerprints[data])
        jobs.setdefault(key, job)
    return list(jobs.values())


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """Order jobs that run at the same time, so that none is left to run alone for long.

    A job's time is taken to grow with the numbers that an example meets in its model, and with the
    examples that a positive makes.
    """
    return sorted(jobs, key=_estimate_cost, reverse=True)


def _estimate_cost(job: Job) -> int:
    import torch

    from src.training.checkpoints import make_model

    component = Component.read(job.options["model"], "model")
    try:
        with torch.device("meta"):
            model = make_model(component, n_users=1, n_items=1)
    except UserError:  # the job itself will say it
        return 0
    numbers = sum(parameter.numel() for parameter in model.parameters())
    negatives = job.options["data"].get("negatives")
    return numbers * (1 + negatives if isinstance(negatives, int) else 1)


def list_swept(grid: Sequence[Sequence[str]]) -> list[str]:
    """Return the options in which the combinations differ, in their order."""
    return [words[0].split("=")[0] for words in zip(*grid, strict=True) if len(set(words)) > 1]


def name_sweep(config: DictConfig, grid: Sequence[Sequence[str]]) -> str:
    """Return the name that `sweep.name` gives, or one made from what is swept.

    The same command has the same name. Raises UserError for a name that no folder can have.
    """
    node = config.sweep
    given = read(SweepOptions, plain(node) if isinstance(node, DictConfig) else node, "sweep").name
    if given is not None:
        return check_name("sweep.name", given)
    swept = list_swept(grid)
    parts = [_name_values(words) for words in zip(*grid, strict=True) if len(set(words)) > 1]
    if not {"model", "experiment"} & set(swept):
        parts.insert(0, _clean(str(config.model.name)))
    if "data" not in swept:
        parts.insert(0, _clean(str(config.data.name)))
    digest = hashlib.sha256(json.dumps(_without_sweep(grid)).encode()).hexdigest()[:6]
    return f"{'_'.join(parts)[:LONGEST_NAME]}-{digest}"


def _name_values(words: Sequence[str]) -> str:
    """Describe swept words: model.factors=8 and model.factors=16 become factors-8-16."""
    option = words[0].split("=")[0]
    values = list(dict.fromkeys(word.split("=", 1)[1] for word in words))
    named = [] if option in ("data", "experiment", "model") else [re.split("[./]", option)[-1]]
    return "-".join([*named, *map(_clean, values)])


def _clean(text: str) -> str:
    """Return a text as part of a folder's name."""
    return re.sub(r"[^\w.+-]+", ".", text).strip(".")


def _without_sweep(grid: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the combinations without `sweep.` options, which don't make it another sweep."""
    return [[word for word in words if not word.startswith("sweep.")] for words in grid]

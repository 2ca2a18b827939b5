"""Runs of sweeps: each in a folder named after what it computes, so that none is computed twice."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from src.config.compose import Plain, given_words, plain
from src.errors import UserError
from src.run import experiment
from src.run.checks import check_options
from src.run.finished import forget, read_finished
from src.run.identity import make_key, read_fingerprint
from src.run.lease import holding
from src.run.pretraining import pretrain
from src.run.provenance import collect_tags
from src.run.run_note import make_note
from src.tracking import open_tracker
from src.tracking.notes import NOTE
from src.tracking.tracker import COLOR, PARENT

# What makes a run a child in a sweep's record, which a pre-training stage is not
OF_A_SWEEP = ("sweep", PARENT, COLOR)


def name_run(model: str, swept: Mapping[str, str]) -> str:
    """Return what tells a job from the others of its sweep: "gmf factors=8 seed=0"."""
    own = {option: value for option, value in swept.items() if option != "model"}
    return " ".join([model, *(f"{re.split('[./]', o)[-1]}={value}" for o, value in own.items())])


def run(cfg: DictConfig, folder: Path, quiet: bool = False) -> float:
    """Run a job in `folder`, its pre-training stages first; return what selected the epoch.

    A finished one is not run again, unless `sweep.rerun`; one that was cut off goes on from its
    last epoch. While another process is at the same job, this one waits. `quiet`: what it prints
    goes to output.txt in `folder`, and one line tells when it is done.
    """
    tags = collect_tags(plain(cfg), folder)
    with holding(folder, wait=True):
        selected = _find_selected(cfg, folder)
        if selected is not None:
            return selected
        with _output_to(folder / "output.txt") if quiet else nullcontext():
            selected = _run(cfg, folder, tags)
    if quiet:
        print(f"done: {_name_job(cfg)}  {cfg.protocol.monitor} {selected:.4f}", flush=True)
    return selected


def _find_selected(cfg: DictConfig, folder: Path) -> float | None:
    """Return what selected the epoch of a job that is finished and need not be run again."""
    if cfg.sweep.rerun:
        forget(folder)
    metrics = read_finished(folder)
    return None if metrics is None else metrics[cfg.protocol.monitor]


def _name_job(cfg: DictConfig) -> str:
    words = (word.partition("=") for word in given_words())
    said = {option: value for option, _, value in words}
    return name_run(cfg.model.name, {option: said[option] for option in cfg.sweep.swept})


def _run(cfg: DictConfig, folder: Path, tags: Mapping[str, str]) -> float:
    with _recorded_mistakes(cfg, folder, tags):
        pretrain(cfg, lambda name, stage: _run_stage(name, stage, folder.parent))
        if cfg.sweep.swept is not None and "run_name" in cfg.tracking:
            cfg.tracking.run_name = _name_job(cfg)
        options = check_options(cfg)
    return experiment.run(options, folder, tags, resuming=not cfg.sweep.rerun)


@contextmanager
def _recorded_mistakes(cfg: DictConfig, folder: Path, tags: Mapping[str, str]) -> Iterator[None]:
    """Record a job that is not begun because of a mistake, like those that fail later."""
    try:
        yield
    except UserError:
        with open_tracker(plain(cfg)["tracking"], tags, folder) as tracker:
            tracker.log_params(plain(cfg))
            raise


def _run_stage(name: str, stage: DictConfig, jobs: Path) -> Path:
    """Run a pre-training stage as a job of its own, which other jobs and sweeps share."""
    options = check_options(stage)
    folder = jobs / make_key(options.plain, read_fingerprint(options.plain))
    with holding(folder, wait=True):
        if read_finished(folder) is None:
            known = collect_tags(options.plain, folder).items()
            about = {k: v for k, v in known if k not in OF_A_SWEEP}
            experiment.run(options, folder, {**about, "stage": name}, resuming=True)
    return folder


@contextmanager
def _output_to(file: Path) -> Iterator[None]:
    """Send there what would go to the terminal, log lines too."""
    console = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout
    ]
    with file.open("a") as output, redirect_stdout(output):
        for handler in console:
            handler.setStream(output)
        try:
            yield
        finally:
            for handler in console:
                handler.setStream(sys.__stdout__)


def record(options: Plain, folder: Path, tags: Mapping[str, str]) -> None:
    """Record a finished job's folder as a run of its own: everything but the checkpoints."""
    with open_tracker(options["tracking"], tags, folder) as tracker:
        tracker.log_params(options)
        by_epoch: list[str] = []
        if (folder / "history.csv").exists():
            history = pd.read_csv(folder / "history.csv")
            by_epoch = [name for name in history.columns if name != "epoch"]
            for epoch in history.to_dict("records"):
                values = {str(name): value for name, value in epoch.items() if name != "epoch"}
                tracker.log_epoch(values, int(epoch["epoch"]))
        metrics = read_finished(folder) or {}
        tracker.set_tags({NOTE: make_note(folder, metrics)})
        experiment.log_final(tracker, metrics, by_epoch)
        tracker.log_files(folder, leave_out=("checkpoints",))

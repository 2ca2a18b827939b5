"""Runs of sweeps: each in a folder named after what it computes, so that none is computed twice."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from src.errors import UserError
from src.run import experiment
from src.run.assembly import Options, make_datamodule
from src.run.pretraining import take_stages
from src.run.provenance import code_version, tags_of
from src.tracking import open_tracker

KEY_LENGTH = 16
# Groups of options that say how runs are recorded, and change none
RECORDING = ("tracking", "sweep")
# What makes a run a child in a sweep's record, which a pre-training stage is not
OF_A_SWEEP = ("sweep", "mlflow.parentRunId")


def fingerprint_of(options: Options) -> str | None:
    """Of the data, which are prepared if they are not; None when the options are mistaken."""
    try:
        return make_datamodule(options).prepared.fingerprint
    except (UserError, OSError):
        return None  # the run itself will say why


def decisive(options: Options) -> Options:
    """Those of a run's options that may change its results.

    Where things lie does not, and what lies there is in the data's fingerprint.
    """
    data = {k: v for k, v in options["data"].items() if k not in ("root", "path", "cache")}
    data["source"] = {k: v for k, v in data["source"].items() if k not in ("root", "path")}
    return {k: v for k, v in options.items() if k not in RECORDING} | {"data": data}


def key_of(options: Options, fingerprint: str | None) -> str:
    """Digest of all that decides a run's results: options, data and code."""
    key = {**decisive(options), "fingerprint": fingerprint, "code": code_version()}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def run_name(model: str, swept: Mapping[str, str]) -> str:
    """What tells a job from the others of its sweep: "gmf factors=8 seed=0"."""
    own = {option: value for option, value in swept.items() if option != "model"}
    return " ".join([model, *(f"{re.split('[./]', o)[-1]}={value}" for o, value in own.items())])


def metrics_of(folder: Path) -> dict[str, float] | None:
    """What the job in `folder` came to; None while it is not finished."""
    file = folder / "metrics.json"
    return json.loads(file.read_text()) if file.exists() else None


def run(cfg: DictConfig, folder: Path, tags: Mapping[str, str], quiet: bool = False) -> float:
    """Runs a job in `folder`, its pre-training stages first; returns what selected the epoch.

    A finished one is not run again, unless `sweep.rerun`; one that was cut off goes on from its
    last epoch. While another process is at the same job, this one waits. `quiet`: what it prints
    goes to output.txt in `folder`, and one line tells when it is done.
    """
    with _alone_in(folder):
        metrics = metrics_of(folder)
        if metrics is not None and not cfg.sweep.rerun:
            return metrics[cfg.protocol.monitor]
        if cfg.sweep.rerun:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            (folder / "metrics.json").unlink(missing_ok=True)
        with _output_to(folder / "output.txt") if quiet else nullcontext():
            selected = _run(cfg, folder, tags)
    if quiet:
        print(f"done: {_name(cfg)}  {cfg.protocol.monitor} {selected:.4f}", flush=True)
    return selected


def _name(cfg: DictConfig) -> str:
    words = (word.partition("=") for word in HydraConfig.get().overrides.task)
    said = {option: value for option, _, value in words}
    return run_name(cfg.model.name, {option: said[option] for option in cfg.sweep.swept})


def _run(cfg: DictConfig, folder: Path, tags: Mapping[str, str]) -> float:
    for name, stage in take_stages(cfg).items():
        options: Options = OmegaConf.to_container(stage, resolve=True)  # type: ignore[assignment]
        stage_folder = folder.parent / key_of(options, fingerprint_of(options))
        print(f"pre-training {name}", flush=True)
        stage.sweep.rerun = False  # a job of the sweep may just have run it
        stage.sweep.swept = None  # in other jobs' runs it is the same
        about = {k: v for k, v in tags_of(stage, stage_folder).items() if k not in OF_A_SWEEP}
        run(stage, stage_folder, {**about, "stage": name})
        cfg.model.pretrained[name] = str(stage_folder)
    if cfg.sweep.swept is not None and "run_name" in cfg.tracking:
        cfg.tracking.run_name = _name(cfg)
    return experiment.run(cfg, folder, tags, resuming=not cfg.sweep.rerun)


@contextmanager
def _output_to(file: Path) -> Iterator[None]:
    """Sends there what would go to the terminal, log lines too."""
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


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Holds the folder's lock."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that is at {folder}", flush=True)
        held = lock.acquire()
    with held:
        yield


def record(options: Options, folder: Path, tags: Mapping[str, str]) -> None:
    """Records a finished job's folder as a run of its own: everything but the checkpoints."""
    with open_tracker(options["tracking"], tags) as tracker:
        tracker.log_params(options)
        by_epoch: list[str] = []
        if (folder / "history.csv").exists():
            history = pd.read_csv(folder / "history.csv")
            by_epoch = [name for name in history.columns if name != "epoch"]
            for epoch in history.to_dict("records"):
                values = {str(name): value for name, value in epoch.items() if name != "epoch"}
                tracker.log_metrics(values, int(epoch["epoch"]))
        experiment.log_final(tracker, metrics_of(folder) or {}, by_epoch)
        tracker.log_files(folder, leave_out=("checkpoints",))

"""How long the missing runs will take on this machine: each kind is tried for a moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from src.config.build import check
from src.data.datamodule import InteractionDataModule
from src.models import Fitted
from src.papers.sweeps import Options
from src.reporting.wording import counted
from src.run.assembly import initial_model, make_datamodule, make_module, seed_everything
from src.run.pretraining import take_stages
from src.sweeping.jobs import fingerprint_of, key_of, metrics_of
from src.sweeping.plan import Job
from src.training.judging import Judge
from src.training.module import RecommenderModule
from src.training.trainer import make_trainer

# How long a kind of run is trained to measure its speed
TRIED = 0.5
# Users ranked in the whole catalogue to measure that
USERS_TRIED = 64
# With early stopping, about the least share of max_epochs that runs take: 11 of 30
SOONEST = 0.35
# Loading the data and keeping the record, a run
ASIDE = 3.0


@dataclass(frozen=True)
class Speed:
    """Of one kind of run, in seconds."""

    example: float
    """Training on one example; of what is fitted without any, an epoch over `positives`."""
    judging: float
    """Judging an epoch."""
    ranking: float
    """Ranking the whole catalogue for every user."""
    positives: int
    """In the training part."""
    epochs: bool
    """Whether training goes on epoch after epoch."""

    def of(self, options: Mapping[str, Any]) -> tuple[float, float]:
        """What a run of this kind takes at least and at most."""
        settings, data, protocol = (options[key] for key in ("trainer", "data", "protocol"))
        drawn = data["negatives"] if options["loss"]["_target_"] else 0
        epoch = self.example * self.positives * (1 + drawn) + self.judging
        most = settings["max_epochs"] if self.epochs else 1
        least = most if settings["patience"] is None else max(1, SOONEST * most)
        again = 2 if protocol["refit"] else 1
        once = ASIDE + self.judging + self.ranking * bool(protocol.get("full_ranking"))
        return once + again * least * epoch, once + again * most * epoch


@dataclass(frozen=True)
class Estimate:
    """Of the runs that are missing."""

    there: int
    missing: int
    low: float
    """Seconds, if early stopping ends runs as soon as it is known to."""
    high: float
    """Seconds, if no run stops early."""


def estimate(jobs: Iterable[Job], workers: int, say: Callable[[str], None]) -> Estimate:
    """Tries each kind of run that is missing. `say` is told how far it is."""
    jobs = list({job.key: job for job in jobs}.values())
    missing = [job for job in jobs if job.wanted]
    work = _with_stages(missing)
    kinds = {_kind(options): options for options in work}
    if kinds:
        say(f"measuring {counted(len(kinds), 'kind')} of runs, a second or two each")
    speeds = {kind: _measure(options) for kind, options in kinds.items()}
    ranges = [speeds[_kind(options)].of(options) for options in work]
    low, high = (sum(ends) / workers for ends in zip(*ranges, strict=True)) if ranges else (0, 0)
    return Estimate(len(jobs) - len(missing), len(missing), low, high)


def _with_stages(jobs: Sequence[Job]) -> list[Options]:
    """Options of all that has to be trained, pre-training included, each once."""
    work: dict[str, Options] = {}
    for job in jobs:
        cfg = OmegaConf.create(job.options)
        for stage in take_stages(cfg).values():
            options: Options = OmegaConf.to_container(stage, resolve=True)  # type: ignore[assignment]
            key = key_of(options, fingerprint_of(options))
            if metrics_of(job.folder.parent / key) is None:
                work[key] = options
        work[job.key] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return list(work.values())


def _kind(options: Mapping[str, Any]) -> str:
    """What decides a run's speed, but for the number of its examples."""
    data = [options["data"][key] for key in ("name", "batch_size")]
    # an epoch takes the same however many there are, and on whatever part it is judged
    trainer = {k: v for k, v in options["trainer"].items() if k not in ("max_epochs", "patience")}
    parts = [trainer, *(options[key] for key in ("model", "loss", "optimizer"))]
    return json.dumps([data, *parts], sort_keys=True)


class Stopwatch(pl.Callback):
    """Ends training after a moment, and times judging that follows.

    What the first call takes longer than others does not count, unless it is the only one.
    """

    def __init__(self) -> None:
        self.trained = self.judged = 0.0
        self.examples = 0
        self._calls = 0
        self._started = self._judging = 0.0
        self._before = 0

    def on_train_batch_start(self, *_: Any) -> None:
        if self._calls < 2:
            self._started = time.perf_counter()
            self._before = self.examples

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self._calls += 1
        self.trained = time.perf_counter() - self._started
        self.examples = getattr(module, "n_examples", 0)
        if self.trained > TRIED and self._calls > 1:
            trainer.should_stop = True

    @property
    def example(self) -> float:
        """Seconds of training on one."""
        return self.trained / (self.examples - self._before)

    def on_validation_start(self, *_: Any) -> None:
        self._judging = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        self.judged = time.perf_counter() - self._judging


def _measure(options: Options) -> Speed:
    seed_everything(options)
    data = make_datamodule(options)
    module = make_module(options, initial_model(options, data), data)
    watch = Stopwatch()
    settings = check(make_trainer, options["trainer"], "trainer") | {"max_epochs": 1}
    # the epoch's line and checkpoints are nobody's
    with TemporaryDirectory() as scratch, redirect_stdout(StringIO()):
        monitor = options["protocol"]["monitor"]
        trainer = make_trainer(Path(scratch), monitor, None, [watch], **settings)
        trainer.fit(module, datamodule=data)
    gradients = isinstance(module, RecommenderModule)
    return Speed(
        example=watch.example if gradients else watch.trained / len(data.train),
        judging=watch.judged,
        ranking=_ranking(module, data),
        positives=len(data.train),
        epochs=gradients or cast("Fitted", module.model).iterative,
    )


def _ranking(module: Judge, data: InteractionDataModule) -> float:
    users = torch.arange(min(USERS_TRIED, data.prepared.n_users), device=module.device)
    started = time.perf_counter()
    with torch.inference_mode():
        module.model.score_all(users).sum().item()  # waits for a GPU
    return (time.perf_counter() - started) * data.prepared.n_users / len(users)

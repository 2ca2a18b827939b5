"""Before a run: whether it can start, and how long it will take, from some of its steps."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from src.errors import UserError
from src.models import Fitted
from src.reporting.wording import counted, decimal, duration, seconds
from src.run.assembly import assemble
from src.run.checks import check_options
from src.run.options import Options
from src.run.pretraining import take_stages
from src.training.stopwatch import Stopwatch

EPOCHS = 2
MEGABYTE = 10**6
# What Hydra makes in a run's folder before the run begins
TRACES = ("train.log", ".hydra")


@dataclass(frozen=True)
class Rehearsal:
    """What is known of a run before it."""

    title: str
    n_users: int
    n_items: int
    n_interactions: int
    parameters: int
    batch_size: int
    epochs: int
    """How many it takes at most."""
    watch: Stopwatch
    in_one_piece: bool
    """Whether the model is fitted to all training data at once."""
    refit: bool
    """Whether it is trained again before test."""

    @property
    def epoch_seconds(self) -> float:
        """What an epoch takes, judging and keeping it included."""
        watch = self.watch
        return watch.training_seconds + watch.judging_seconds + watch.keeping_seconds

    @property
    def seconds(self) -> float:
        """What training takes at most."""
        again = self.epochs * self.watch.training_seconds if self.refit else 0.0
        return self.epochs * self.epoch_seconds + again

    def describe(self) -> list[str]:
        """Return the lines for the terminal."""
        watch = self.watch
        parts = {
            "training": watch.training_seconds,
            "judging": watch.judging_seconds,
            "keeping": watch.keeping_seconds,
        }
        share = ", ".join(f"{seconds(value)} s {name}" for name, value in parts.items())
        step = f"{decimal(1000 * watch.step_seconds, 2)} ms for {self.batch_size:,} examples"
        times = counted(self.epochs, "epoch") + (", and training again" if self.refit else "")
        pieces = [] if self.in_one_piece else [f"step        {step}, {watch.steps:,} an epoch"]
        return [
            f"{self.title}: all is in order; nothing is recorded",
            f"data        {self.n_users:,} users, {self.n_items:,} items, "
            f"{self.n_interactions:,} interactions in training",
            f"parameters  {self.parameters:,}",
            f"memory      {watch.memory / MEGABYTE:,.0f} MB",
            *pieces,
            f"epoch       {seconds(self.epoch_seconds)} s: {share}",
            f"training    {duration(self.seconds)} at most: {times}; then test",
        ]


def rehearse(cfg: DictConfig) -> list[Rehearsal]:
    """Return what is known of a run's pre-training stages, if any, and of the run itself.

    Raises UserError for what is mistaken. Nothing is left but the prepared data.
    """
    if cfg.resume is not None:
        raise UserError("check=true looks at a run that begins: leave out resume")
    stages = list(take_stages(cfg).items())
    checked = [check_options(stage) for _, stage in stages]
    own = check_options(cfg)
    every = [*checked, own] if _can_be_measured(own) else checked
    return [_measure(options) for options in every]


def print_rehearsals(stages: Sequence[Rehearsal]) -> float:
    """Print what is known of a run's stages and of the run, and return the seconds of all."""
    for stage in stages:
        print("\n".join(stage.describe()))
    total = sum(stage.seconds for stage in stages)
    if len(stages) > 1:
        print(f"in all      {duration(total)} at most, with pre-training")
    return total


def _can_be_measured(options: Options) -> bool:
    """Tell whether a run can begin: not if it stands on the stages before it alone."""
    model = options.model.component.callable
    return not getattr(model, "free_parts", False) or bool(options.model.pretrained)


def _measure(options: Options) -> Rehearsal:
    trainer = options.trainer
    if trainer.devices * trainer.nodes > 1:
        raise UserError("check=true measures one process: say trainer.devices=1 trainer.nodes=1")
    short = replace(options, trainer=replace(trainer, max_epochs=EPOCHS, patience=None))
    watch = Stopwatch()
    with TemporaryDirectory() as scratch, _quiet():
        made = assemble(short, Path(scratch), callbacks=[watch])
        made.trainer.fit(made.module, datamodule=made.data)
    model, train = made.module.model, made.data.train
    return Rehearsal(
        options.title,
        train.n_users,
        train.n_items,
        len(train),
        sum(parameter.numel() for parameter in model.parameters()),
        options.data.options.batch_size,
        1 if isinstance(model, Fitted) and not model.iterative else trainer.max_epochs,
        watch,
        isinstance(model, Fitted),
        options.protocol.refit,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what a run says of its data and its epochs, but not warnings."""
    logging.disable(logging.INFO)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def remove_traces(folder: Path) -> None:
    """Remove the folder that was made for the run, unless there is more in it."""
    for name in TRACES:
        trace = folder / name
        if trace.is_dir():
            shutil.rmtree(trace)
        else:
            trace.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        folder.rmdir()

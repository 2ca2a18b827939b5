"""One trial: a run like any other, but on validation alone and into a log of its own."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from omegaconf import OmegaConf
from optuna.trial import Trial

from src.config.compose import compose, plain
from src.errors import UserError
from src.reporting.palette import distinct_color
from src.run import experiment
from src.run.checks import check_options
from src.run.provenance import collect_tags
from src.tracking.tracker import COLOR, PARENT
from src.tuning.outcome import Outcome
from src.tuning.pruning import Pruning
from src.tuning.search_plan import SearchPlan
from src.tuning.space import list_words

LOG = "train.log"


def run_trial(
    plan: SearchPlan, trial: Trial, folder: Path, parent: str | None, more: Sequence[str]
) -> Outcome:
    """Train in `folder` with what the trial drew; never scores test.

    `parent`: the MLflow run that the trial's own is a child of. `more`: words of the command line
    that come from how the search is run. Raises UserError for settings that can't be trained.
    """
    words = [*plan.words, *more, *list_words(plan.space, trial.params)]
    trial.set_user_attr("words", words)
    cfg = compose([*words, "protocol.refit=false"])
    if "run_name" in cfg.tracking:
        OmegaConf.update(cfg, "tracking.run_name", f"{cfg.model.name} trial {trial.number}")
    tags = {
        **collect_tags(plain(cfg), folder),
        "overrides": " ".join(words),
        "mlflow.source.name": "src.tune",
        "sweep": plan.name,
        "trial": str(trial.number),
        COLOR: distinct_color(trial.number),
    }
    if parent:
        tags[PARENT] = parent
    pruning = Pruning(trial)
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    with _redirect_to(folder / LOG):
        options = check_options(cfg)
        value = experiment.run(options, folder, tags, callbacks=[pruning], testing=False)
    if math.isnan(value):
        raise UserError(f"{plan.metric} is not a number")
    return Outcome(value, pruning.pruned, pruning.epochs, time.perf_counter() - started)


@contextmanager
def _redirect_to(file: Path) -> Iterator[None]:
    """Send what a run prints, warns of and logs to a file."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    with file.open("w", encoding="utf-8", buffering=1) as log:
        root.handlers[:] = [logging.StreamHandler(log)]
        try:
            with redirect_stdout(log), redirect_stderr(log):
                yield
        finally:
            root.handlers[:] = handlers

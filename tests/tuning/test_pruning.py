"""Pruning by epoch: when a trial is ended, and what is left alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import optuna
import pytest
import pytorch_lightning as pl

from src.training.judging import Judge
from src.tuning.pruning import Pruning
from src.tuning.study import EPOCHS_BEFORE_PRUNING, TRIALS_BEFORE_PRUNING, make_pruner


class Judged(Judge):
    """Says what each epoch was judged, without a model."""

    def __init__(self, monitor: str = "val/ndcg@10") -> None:
        pl.LightningModule.__init__(self)
        self.monitor = monitor


def run(study: optuna.Study, values: list[float]) -> Pruning:
    """A trial whose epochs are judged so; told as the search would."""
    trial = study.ask()
    pruning, module = Pruning(trial), Judged()
    trainer: Any = SimpleNamespace(should_stop=False, current_epoch=0, logger=None)
    for epoch, value in enumerate(values):
        trainer.current_epoch = epoch
        module.judged = {"val/ndcg@10": value}
        pruning.on_train_epoch_end(cast("pl.Trainer", trainer), module)
        if trainer.should_stop:
            break
    if pruning.pruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, max(values))
    return pruning


def made(max_epochs: int, prune: bool = True) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", pruner=make_pruner(max_epochs, prune))


def test_what_falls_behind_is_ended_after_its_first_epochs() -> None:
    study = made(max_epochs=10)
    good = [0.5] * 10
    for _ in range(TRIALS_BEFORE_PRUNING):
        assert not run(study, good).pruned
    behind = run(study, [0.1] * 10)
    assert (behind.pruned, behind.epochs) == (True, EPOCHS_BEFORE_PRUNING + 1)
    assert not run(study, [0.6] * 10).pruned


def test_first_trials_are_never_pruned() -> None:
    study = made(max_epochs=10)
    for value in (0.9, 0.7, 0.5, 0.3, 0.1):
        assert not run(study, [value] * 10).pruned


@pytest.mark.parametrize(("max_epochs", "first"), [(3, None), (10, 4), (30, 7), (100, 21)])
def test_longer_trainings_have_more_first_epochs(max_epochs: int, first: int | None) -> None:
    study = made(max_epochs)
    for _ in range(TRIALS_BEFORE_PRUNING):
        run(study, [0.5] * max_epochs)
    behind = run(study, [0.1] * max_epochs)
    assert behind.pruned == (first is not None)
    assert behind.epochs == (first or max_epochs)


def test_one_epoch_is_never_pruned() -> None:
    study = made(max_epochs=30)
    for _ in range(TRIALS_BEFORE_PRUNING + 2):
        assert not run(study, [0.5]).pruned
    assert not run(study, [0.0]).pruned


def test_without_pruning() -> None:
    study = made(max_epochs=10, prune=False)
    for value in (0.9,) * 8 + (0.1,):
        assert not run(study, [value] * 10).pruned


def test_the_tracker_knows(tmp_path: Path) -> None:
    from src.tracking.mlflow import MLflowLogger
    from src.tracking.tracker import Tracker

    class Remembers(Tracker):
        tags: dict[str, str] = {}  # noqa: RUF012

        def set_tags(self, tags: Any) -> None:
            self.tags.update(tags)

    tracker = Remembers()
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.2))
    pruning, module = Pruning(study.ask()), Judged()
    module.judged = {"val/ndcg@10": 0.5}
    trainer: Any = SimpleNamespace(
        should_stop=False, current_epoch=0, logger=MLflowLogger(cast("Any", tracker))
    )
    pruning.on_train_epoch_end(trainer, module)
    assert trainer.should_stop
    assert tracker.tags == {"pruned": "true"}

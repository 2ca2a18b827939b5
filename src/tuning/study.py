"""An Optuna study in a folder, on which any number of processes work, now and later."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial, Trial, TrialState

from src.errors import UserError
from src.evaluation.catalogue import lower_is_better
from src.tuning.outcome import Outcome
from src.tuning.search_plan import SearchPlan
from src.tuning.space import Space, list_combinations

# Trials drawn at random before the sampler learns from them (its own default)
RANDOM_TRIALS = 10
# The median pruner needs no number of epochs for all, as Hyperband does: early stopping decides
# that. It waits for as many trials, and leaves each its first epochs: low rates start slowly
TRIALS_BEFORE_PRUNING = 5
EPOCHS_BEFORE_PRUNING = 3
SHARE_BEFORE_PRUNING = 0.2

# A trial that was cut off as often is not begun again
TIMES = 3

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def open_study(folder: Path, plan: SearchPlan, seed: int, prune: bool) -> Iterator[Study]:
    """Open the plan's study in `folder`, new or continued; this process works on it meanwhile."""
    pruner = make_pruner(plan.options["trainer"]["max_epochs"], prune)
    study = Study(folder, plan.about, lower_is_better(plan.metric), seed, pruner)
    try:
        yield study
    finally:
        study.close()


def make_pruner(max_epochs: int, prune: bool) -> BasePruner:
    """Return a pruner of trials worse than the median at their epoch.

    It never ends the first epochs of a trial, nor the first trials.
    """
    if not prune:
        return NopPruner()
    first = max(EPOCHS_BEFORE_PRUNING, round(SHARE_BEFORE_PRUNING * max_epochs))
    return MedianPruner(TRIALS_BEFORE_PRUNING, first, n_min_trials=TRIALS_BEFORE_PRUNING)


class Study:
    """A study that hands out trials until there are enough, and keeps their results.

    The draws of a trial follow from the seed, its place in the study and the trials before it, so
    that a study that was interrupted and continued is the same as one that never was.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        minimize: bool,
        seed: int,
        pruner: BasePruner,
    ) -> None:
        """Make the study in `folder`, or continue it.

        `about`: facts that all its trials have in common. Raises UserError when the folder holds a
        study with other facts.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.seed = folder, seed
        self._lock = FileLock(folder / ".study.lock")
        self._worker = FileLock(folder / f".worker-{os.getpid()}-{secrets.token_hex(4)}.lock")
        with self._lock:
            self.study = optuna.create_study(
                study_name="study",
                storage=optuna.storages.RDBStorage(
                    f"sqlite:///{folder / 'study.db'}",
                    engine_kwargs={"connect_args": {"timeout": 60}},
                ),
                direction="minimize" if minimize else "maximize",
                pruner=pruner,
                load_if_exists=True,
            )
            self._same_as_before(about)
            self._worker.acquire()

    def _same_as_before(self, about: Mapping[str, Any]) -> None:
        known = self.study.user_attrs.get("about")
        if known is None:
            self.study.set_user_attr("about", dict(about))
        elif known != about:
            names = sorted(k for k in {*known, *about} if known.get(k) != about.get(k))
            raise UserError(
                f"{self.folder} is a study with another {', '.join(names[:5])}: "
                "give another name=..., or none"
            )

    def close(self) -> None:
        """Let other processes know that no trial of this process is running any more."""
        self._worker.release()
        Path(self._worker.lock_file).unlink(missing_ok=True)

    def next(self, space: Space, total: int) -> Trial | None:
        """Return a trial with everything drawn; None if there are `total`, with running ones.

        Where so many trials are enough for all combinations of a space, each is drawn once.
        """
        with self._lock:
            self.take_back()
            trials = self.study.get_trials(deepcopy=False)
            busy = sum(trial.state == TrialState.RUNNING for trial in trials)
            if busy + self.n_finished(trials) >= total:
                return None
            # places in the study, with trials that were cut off left out, as they come again
            place = sum(not _cut_off(t) and t.state != TrialState.WAITING for t in trials)
            seed = int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0])
            self.study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True, seed=seed
            )
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if not waiting and (untried := _list_untried(space, total, trials)):
                chosen = int(np.random.default_rng(seed).integers(len(untried)))
                self.study.enqueue_trial(dict(untried[chosen]))
            trial = self.study.ask({name: it.distribution for name, it in space.items()})
            trial.set_user_attr("worker", Path(self._worker.lock_file).name)
            return trial

    def take_back(self) -> None:
        """Put trials whose process was killed in the queue again."""
        with self._lock:
            workers = [file.name for file in self.folder.glob(".worker-*") if self._is_alive(file)]
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                # one without a worker was cut off between the two statements that hold the lock
                if trial.user_attrs.get("worker") not in workers:
                    self.give_back(trial)

    def _is_alive(self, worker: Path) -> bool:
        """Tell whether a process holds the lock; remove the file if it is left over."""
        if worker == Path(self._worker.lock_file):
            return True
        try:
            with FileLock(worker).acquire(timeout=0):
                pass
        except Timeout:
            return True
        worker.unlink(missing_ok=True)
        return False

    def give_back(self, trial: Trial | FrozenTrial) -> None:
        """Mark a trial as interrupted, and put its draws in the queue again.

        This happens TIMES times at most: the draws may be the cause that ends the process.
        """
        times = trial.user_attrs.get("times_cut_off", 0) + 1
        with self._lock:
            if self.study.get_trials(deepcopy=False)[trial.number].state.is_finished():
                return  # it was cut off on its last steps
            if times < TIMES:
                self.study.tell(trial.number, state=TrialState.FAIL)
                self.study.enqueue_trial(dict(trial.params), {"times_cut_off": times})
            else:
                # a frozen trial can't be written to
                running = Trial(self.study, trial._trial_id)
                self.fail(running, f"was cut off {times} times")
        self._drop_checkpoints(trial.number)

    def finish(self, trial: Trial, outcome: Outcome) -> int:
        """Keep the trial's outcome, and only the checkpoints of the best trial.

        Return how many trials are finished or pruned now.
        """
        # the value of its own too: of a pruned trial Optuna keeps the last epoch's
        for name, fact in asdict(outcome).items():
            trial.set_user_attr(name, fact)
        with self._lock:
            if outcome.pruned:
                self.study.tell(trial, state=TrialState.PRUNED)
            else:
                self.study.tell(trial, outcome.value)
            best = self.best
            for other in self.study.get_trials(deepcopy=False, states=FINISHED):
                if best is None or other.number != best.number:
                    self._drop_checkpoints(other.number)
            return self.n_finished()

    def fail(self, trial: Trial, error: str) -> None:
        """Keep the error of a failed trial, which does not count and is not tried again."""
        trial.set_user_attr("error", error)
        self.study.tell(trial, state=TrialState.FAIL)
        self._drop_checkpoints(trial.number)

    def _drop_checkpoints(self, number: int) -> None:
        shutil.rmtree(self.trial_folder(number) / "checkpoints", ignore_errors=True)

    def find_twin(self, trial: Trial) -> FrozenTrial | None:
        """Return an earlier trial that finished with the same draws, and so with the same value."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return next((other for other in complete if other.params == trial.params), None)

    def trial_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / f"trial-{number:03}"

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that were begun, but not those that were interrupted and came again."""
        trials = self.study.get_trials(deepcopy=False)
        return [t for t in trials if t.state != TrialState.WAITING and not _cut_off(t)]

    def n_finished(self, trials: list[FrozenTrial] | None = None) -> int:
        """Count finished and pruned trials, without failed, interrupted and running ones."""
        trials = self.trials if trials is None else trials
        return sum(trial.state in FINISHED for trial in trials)

    @property
    def best(self) -> FrozenTrial | None:
        """The first of the best trials; None while no trial has run to its end."""
        complete = [t for t in self.trials if t.state == TrialState.COMPLETE]
        sign = 1 if self.minimized else -1
        order = {trial.number: (sign * read_value(trial), trial.number) for trial in complete}
        return min(complete, key=lambda trial: order[trial.number], default=None)

    @property
    def minimized(self) -> bool:
        """Whether lower values of the metric are better."""
        return self.study.direction == optuna.study.StudyDirection.MINIMIZE


def _list_untried(
    space: Space, total: int, trials: Sequence[FrozenTrial]
) -> Sequence[Mapping[str, Any]]:
    """Return the combinations that no trial has; none if `total` trials can't have them all."""
    tried = [trial.params for trial in trials if not _cut_off(trial)]
    return [one for one in list_combinations(space, total) or () if one not in tried]


def read_value(trial: FrozenTrial) -> float:
    """Return the value of the metric that selected the trial's epoch."""
    return trial.user_attrs["value"]


def _cut_off(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and "error" not in trial.user_attrs

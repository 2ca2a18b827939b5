"""The search in one process: it asks the study for trials, runs them, and reports results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.trial import Trial

from src.errors import UserError
from src.reporting.wording import duration
from src.tuning.outcome import Outcome
from src.tuning.search_plan import SearchPlan
from src.tuning.space import format_drawn
from src.tuning.study import FINISHED, Study, read_value
from src.tuning.trial import run_trial

# A search whose trials fail from the first on is ended
MOST_FAILURES = 3


def search(
    study: Study,
    plan: SearchPlan,
    total: int,
    *,
    workers: int = 1,
    parent: str | None = None,
    more: Sequence[str] = (),
    explain: Callable[[Exception], str | None],
    say: Callable[[str], None],
) -> None:
    """Run trials until `total` are finished or pruned, and say a line about each.

    `workers`: the number of processes that do so, for the estimate of time. `explain` gives the
    line for a user's mistake, and None for a bug, which ends the search. Raises UserError when more
    trials fail than succeed.
    """
    failed = succeeded = 0
    while trial := study.next(plan.space, total):
        try:
            done, what = _run(study, plan, trial, parent, more)
            succeeded += 1
        except Exception as error:
            why = explain(error)
            study.fail(trial, why or repr(error))
            if why is None:
                raise
            failed += 1
            done, what = study.n_finished(), f"failed: {why}"
            if failed >= MOST_FAILURES and failed > succeeded:
                say(_format_line(study, trial, done, total, [what]))
                raise UserError(
                    f"{failed} of {failed + succeeded} trials failed, the last one with: {why}"
                ) from error
        except BaseException:
            study.give_back(trial)
            raise
        facts = [what, *_describe_best(study), *_estimate_left(study, total, workers)]
        say(_format_line(study, trial, done, total, facts))


def _run(
    study: Study, plan: SearchPlan, trial: Trial, parent: str | None, more: Sequence[str]
) -> tuple[int, str]:
    """Run the trial and tell the study; return how many are finished then, and a description."""
    metric = plan.metric
    twin = study.find_twin(trial)
    if twin is not None:
        done = study.finish(trial, Outcome(read_value(twin), pruned=False, epochs=0, seconds=0.0))
        return done, f"{metric} {read_value(twin):.4f}, the same as trial {twin.number}"
    outcome = run_trial(plan, trial, study.trial_folder(trial.number), parent, more)
    what = f"{metric} {outcome.value:.4f}, {outcome.seconds:.1f} s"
    if outcome.pruned:
        what = f"pruned after {outcome.epochs} epochs at {what}"
    return study.finish(trial, outcome), what


def _format_line(study: Study, trial: Trial, done: int, total: int, facts: Sequence[str]) -> str:
    number = f"{done:>{len(str(total))}}/{total}  trial {trial.number}"
    return f"{number}: {'; '.join([*facts, format_drawn(trial.params)])}"


def _describe_best(study: Study) -> list[str]:
    best = study.best
    return [] if best is None else [f"best {read_value(best):.4f} (trial {best.number})"]


def _estimate_left(study: Study, total: int, workers: int) -> list[str]:
    """Estimate the time for the remaining trials, if there are any."""
    took = [trial.user_attrs["seconds"] for trial in study.trials if trial.state in FINISHED]
    left = total - len(took)
    if not took or left <= 0:
        return []
    return [f"about {duration(sum(took) / len(took) * left / workers)} left"]

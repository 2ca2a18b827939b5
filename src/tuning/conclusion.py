"""The results of a search: a table, pictures, the best settings, and its record."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from src.config.compose import command_line
from src.evaluation.catalogue import selected_name
from src.reporting.pictures.search_history import TrialPoint, draw_history, draw_importance
from src.run.provenance import git_commit
from src.tracking import Tracker
from src.tracking.notes import NOTE, link_files
from src.tuning.search_plan import SearchPlan
from src.tuning.settings import write_settings
from src.tuning.space import format_drawn
from src.tuning.study import Study, read_value

# With fewer the importances say more of chance than of the options
TRIALS_FOR_IMPORTANCE = 10
PAGES = {
    "history.png": "values by trial",
    "importance.png": "what matters",
    "trials.csv": "table of the trials",
}
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def conclude(study: Study, plan: SearchPlan, experiments: Path, tracker: Tracker) -> None:
    """Write trials.csv, the pictures and the best settings, record them, and print where they are.

    `experiments`: the folder for the experiment's file.
    """
    study.take_back()
    trials, folder, best = study.trials, study.folder, study.best
    metric = plan.metric
    table = trials_table(study, plan)
    table.to_csv(folder / "trials.csv", index=False)
    counts = table["state"].value_counts()
    summary = ", ".join(f"{counts[s]} {s}" for s in STATES.values() if s in counts)
    print(f"trials   {summary or 'none'}")
    tracker.log_metrics({f"trials/{state}": float(n) for state, n in counts.items()}, len(trials))
    if best is not None:
        file = experiments / f"{plan.name}.yaml"
        write_settings(file, best.user_attrs["words"], _write_comment(plan, best, metric, summary))
        points = _list_points(trials)
        draw_history(folder / "history.png", plan.name, metric, points, study.minimized)
        value = f"{metric} {read_value(best):.4f}"
        said = f"trial {best.number} with {value}: {format_drawn(best.params)}"
        print(f"best     {said}")
        _say_importance(study, plan, folder / "importance.png", metric)
        retrain = command_line("train", f"experiment={file.parent.name}/{file.stem}")
        print(f"settings {file}: {retrain}")
        tracker.log_metrics({selected_name(metric): read_value(best)}, len(trials))
        # tags, because a search that goes on may find others, and a param can't be changed
        tracker.set_tags(
            {"best_trial": best.number, **{f"best.{k}": v for k, v in best.params.items()}}
        )
        tracker.set_tags({NOTE: f"{link_files(folder, PAGES)}\n\nBest: {said}\n\n`{retrain}`"})
    print(f"folder   {folder}")
    if tracker.location:
        print(f"tracking {tracker.location}")
    tracker.log_files(folder)


def trials_table(study: Study, plan: SearchPlan) -> pd.DataFrame:
    """Make a table with a row for each trial: its draws and its results."""
    metric = plan.metric
    rows = []
    for trial in study.trials:
        facts = trial.user_attrs
        rows.append(
            {
                "trial": trial.number,
                "state": STATES[trial.state],
                metric: facts.get("value"),
                "epochs": facts.get("epochs"),
                "seconds": facts.get("seconds"),
                **trial.params,
                "folder": study.trial_folder(trial.number).name,
                "error": facts.get("error"),
            }
        )
    columns = ["trial", "state", metric, "epochs", "seconds", *plan.space, "folder", "error"]
    return pd.DataFrame(rows, columns=columns).astype({"epochs": "Int64"})


def _write_comment(plan: SearchPlan, best: FrozenTrial, metric: str, summary: str) -> list[str]:
    return [
        f"Found by src.tune {shlex.join(plan.words)}",
        f"Study {plan.name} ({summary}): trial {best.number} had {metric} {read_value(best)!r}.",
        f"{date.today().isoformat()}, commit {git_commit()}.",
    ]


def _list_points(trials: list[FrozenTrial]) -> list[TrialPoint]:
    """List the points of the trials that have a value, in order."""
    return [
        TrialPoint(trial.number, read_value(trial), pruned=trial.state == TrialState.PRUNED)
        for trial in trials
        if "value" in trial.user_attrs
    ]


def _say_importance(study: Study, plan: SearchPlan, file: Path, metric: str) -> None:
    importances = measure_importances(study, plan)
    if importances:
        draw_importance(file, plan.name, metric, importances)
        words = [f"{name} {share:.0%}" for name, share in importances.items() if share >= 0.005]
        print(f"matters  {', '.join(words)}")
    else:
        file.unlink(missing_ok=True)
        print(
            f"matters  not said: it takes {TRIALS_FOR_IMPORTANCE} trials run to their end, "
            "of different values"
        )


def measure_importances(study: Study, plan: SearchPlan) -> Mapping[str, float]:
    """Return each option's share of the variance (fANOVA, Hutter et al. 2014), largest first.

    The mapping is empty where there are too few trials to estimate it.
    """
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if len(complete) < TRIALS_FOR_IMPORTANCE or len({read_value(trial) for trial in complete}) < 2:
        return {}
    return get_param_importances(study.study, evaluator=FanovaImportanceEvaluator(seed=0))

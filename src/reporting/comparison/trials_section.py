"""The trials of searches, which are drafts and stand apart from the runs that are compared."""

from __future__ import annotations

from collections.abc import Sequence

from src.evaluation.catalogue import selected_value
from src.reporting.comparison.run_metrics import RunMetrics
from src.reporting.comparison.section import Section
from src.reporting.wording import counted, decimal, whole
from src.tracking.reading import Record

TRIAL, SEARCH = "trial", "sweep"


def split_trials(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Return the trials of searches and the other runs; if all are trials, they are the others."""
    trials = [record for record in records if TRIAL in record.tags]
    others = [record for record in records if TRIAL not in record.tags]
    return (trials, others) if others else ([], trials)


def make_trials_section(trials: Sequence[Record]) -> Section:
    """List each search with its best trial on validation; none of them was scored on test."""
    section = Section("trials", "Trials of searches")
    section.text = [
        f"{counted(len(trials), 'trial')}, chosen on validation and never scored on test, are none "
        "of the configurations above. python -m src.report sweep=NAME compares a search's own."
    ]
    section.heads = ["search", "trials", "finished", "best on validation", "by"]
    metrics = RunMetrics(trials)
    searches: dict[str, list[Record]] = {}
    for trial in trials:
        searches.setdefault(trial.tags.get(SEARCH, "?"), []).append(trial)
    for name, own in searches.items():
        monitor = own[0].params.get("protocol.monitor", "")
        finished = [trial for trial in own if trial.status == "FINISHED"]
        values = [selected_value(trial.metrics, monitor) for trial in finished]
        known = [value for value in values if value is not None]
        best = (min if metrics.lower_is_better(monitor) else max)(known, default=None)
        shown = "" if best is None else decimal(best)
        label = metrics.label(monitor) if monitor else ""
        section.rows.append([name, whole(len(own)), whole(len(finished)), shown, label])
    return section

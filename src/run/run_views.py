"""The tables of runs that a person finds in MLflow's pages: all of an experiment, or a sweep's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from src.config.compose import Plain
from src.evaluation.catalogue import headline_names, lower_is_better, part_of, selected_name
from src.tracking.tracker import flatten
from src.tracking.views import ALL_RUNS, View

# What models have in common, as far as they have it
COMMON = ("model.name", "model.factors", "optimizer.lr", "data.negatives", "seed")
SECONDS = "fit/seconds"


def view_all(options: Plain) -> View:
    """Make a view of all runs of an experiment, the best on validation on top."""
    name = f"all runs of {options['tracking'].get('experiment')}"
    # sweeps and searches themselves have no seed
    view = _make_view(name, 'tags.seed != ""', options, COMMON)
    return replace(view, key=ALL_RUNS, every_curve=False)


def view_sweep(name: str, options: Plain, swept: Sequence[str]) -> View:
    """Make a view of a sweep's jobs without their parent; `options`: of the first one."""
    known = flatten(options)
    params = [param for option in swept for param in (option, f"{option}.name") if param in known]
    return _make_view(name, f'tags.sweep = "{name}" and tags.job != ""', options, params)


def view_search(name: str, options: Plain, searched: Sequence[str]) -> View:
    """Make a view of a search's trials without their parent; they know nothing of test."""
    condition = f'tags.sweep = "{name}" and tags.trial != ""'
    return _make_view(name, condition, options, searched, testing=False)


def _make_view(
    name: str, condition: str, options: Plain, params: Sequence[str], *, testing: bool = True
) -> View:
    """Make a view whose first columns are metrics: what chooses the epoch, then test."""
    monitor = options["protocol"]["monitor"]
    judged = part_of(monitor)
    return View(
        name,
        condition,
        params,
        _list_metrics(monitor, testing),
        order=selected_name(monitor),
        ascending=lower_is_better(monitor),
        curves=["train/loss", *(f"{judged}/{metric}" for metric in headline_names())],
    )


def _list_metrics(monitor: str, testing: bool) -> list[str]:
    """List what a run comes to, by the names that are recorded."""
    judged = part_of(monitor)
    tested = [*(["test/rmse"] * lower_is_better(monitor)), "test/ndcg@10", "test/hr@10"]
    names = [monitor, f"{judged}/ndcg@10", *(tested if testing else []), SECONDS]
    # what is judged by epoch has the selected epoch's value under a name of its own
    return list(dict.fromkeys(selected_name(n) if part_of(n) == judged else n for n in names))

"""A whole search: its plan, its study, its record, and the processes that work at it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Lt
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

from src.config import compose
from src.config.build import read
from src.run.code_identity import code_version
from src.run.provenance import git_commit
from src.run.recovery import recover
from src.run.run_views import view_search
from src.tracking import open_tracker
from src.tuning.conclusion import conclude
from src.tuning.progress import Progress
from src.tuning.search import search
from src.tuning.search_plan import SearchPlan, make_plan
from src.tuning.study import Study, open_study
from src.tuning.workers import WORKER, end_with_parent, run_workers, share_threads


@dataclass(frozen=True)
class SearchOptions:
    """The options of a search that training has not, explained in conf/tune.yaml."""

    trials: Annotated[int, Ge(1)]
    workers: Annotated[int, Ge(1)]
    sampler_seed: Annotated[int, Ge(0), Lt(2**32)]
    prune: bool


def run_search(cfg: DictConfig, folder: Path, explain: Callable[[Exception], str | None]) -> None:
    """Run trials until there are enough; the study lies in a folder of its name in `folder`.

    In a process that another one started for that, take part in the search of that one. `explain`
    gives the line for a user's mistake, and None for a bug. Raises UserError for mistakes.
    """
    own = read(SearchOptions, {key: cfg[key] for key in SearchOptions.__annotations__}, "")
    worker = WORKER in os.environ
    plan = _make_plan(cfg, quiet=worker)
    wanted = plan.options["trainer"]["threads"]
    threads = share_threads(own.workers, wanted)
    with open_study(folder / plan.name, plan, own.sampler_seed, own.prune) as study:
        work = partial(
            search,
            study,
            plan,
            own.trials,
            workers=own.workers,
            more=[] if threads == wanted else [f"trainer.threads={threads}"],
            explain=explain,
        )
        if worker:
            end_with_parent()
            work(parent=os.environ[WORKER] or None, say=partial(print, flush=True))
            return
        print(plan.description, flush=True)
        with _recording(plan, study) as parent, Progress(study, own.trials) as say:
            if own.workers == 1:
                work(parent=parent, say=say)
            else:
                run_workers(own.workers, threads, study.folder, parent, say)


def _make_plan(cfg: DictConfig, quiet: bool) -> SearchPlan:
    """Make the plan; `quiet`: what is logged on the way was said by the process before."""
    if quiet:
        logging.disable(logging.INFO)
    try:
        return make_plan(cfg)
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _recording(plan: SearchPlan, study: Study) -> Iterator[str | None]:
    """Open the search's own record, give its id, and sum the search up however it ends."""
    tracking = dict(plan.options["tracking"])
    if "run_name" in tracking:
        tracking["run_name"] = plan.name
    found_by = {"sweep": plan.name, "kind": "tuning"}
    tags = {
        **found_by,
        "model": plan.options["model"]["name"],
        "data": plan.options["data"]["name"],
        "protocol": plan.options["protocol"]["name"],
        "git_commit": git_commit(),
        "code_version": code_version(),
        "output_folder": str(study.folder),
        "overrides": " ".join(plan.words),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "src.tune",
    }
    with open_tracker(
        tracking, tags, study.folder, continuing=found_by, recovery=recover
    ) as tracker:
        tracker.log_params(plan.about)
        tracker.save_view(view_search(plan.name, plan.options, list(plan.space)))
        try:
            yield tracker.reference
        finally:
            conclude(study, plan, compose.OUTPUTS / "conf" / "experiment" / "tuned", tracker)

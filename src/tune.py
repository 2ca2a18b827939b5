"""`python -m src.tune`: search for a model's best settings, on validation alone."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Lt
from hydra._internal.utils import get_args_parser

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from src.tuning.search_plan import Plan
    from src.tuning.study import Study


def tune(cfg: DictConfig) -> None:
    """Runs trials until there are enough, in one process or several, and says what is best."""
    with importing():
        from functools import partial
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig

        from src.tuning.progress import Progress
        from src.tuning.search import search
        from src.tuning.search_plan import make_plan
        from src.tuning.study import open_study
        from src.tuning.workers import WORKER, end_with_parent, run_workers, threads_each

    worker = WORKER in os.environ
    own = _own_options(cfg)
    total, workers = own["trials"], own["workers"]
    if worker:
        logging.disable(logging.INFO)  # said once, by the process that started this one
    plan = make_plan(cfg)
    logging.disable(logging.NOTSET)
    folder = Path(HydraConfig.get().runtime.output_dir) / plan.name
    threads = threads_each(workers, plan.options["trainer"]["threads"])
    fewer = threads != plan.options["trainer"]["threads"]
    with open_study(folder, plan, own["sampler_seed"], own["prune"]) as study:
        work = partial(
            search,
            study,
            plan,
            total,
            workers=workers,
            more=[f"trainer.threads={threads}"] if fewer else [],
            explain=cli.user_line,
        )
        if worker:
            end_with_parent()
            work(parent=os.environ[WORKER] or None, say=partial(print, flush=True))
            return
        print(plan.description, flush=True)
        with _record(plan, study) as parent, Progress(study, total) as say:
            if workers == 1:
                work(parent=parent, say=say)
            else:
                run_workers(workers, threads, folder, parent, say)


def _own_options(cfg: DictConfig) -> dict[str, Any]:
    """The options that training has not, checked."""
    from src.config.build import check

    def own(
        trials: Annotated[int, Ge(1)],
        workers: Annotated[int, Ge(1)],
        sampler_seed: Annotated[int, Ge(0), Lt(2**32)],
        prune: bool,
    ) -> None: ...

    return check(own, {key: cfg[key] for key in ("trials", "workers", "sampler_seed", "prune")}, "")


@contextmanager
def _record(plan: Plan, study: Study) -> Iterator[str | None]:
    """The search's own record, by its id in MLflow; sums the search up however it ends."""
    from src.config import compose
    from src.run.code_identity import code_version
    from src.run.provenance import git_commit
    from src.tracking import open_tracker
    from src.tuning.conclusion import conclude

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
    with open_tracker(tracking, tags, study.folder, continuing=found_by) as tracker:
        tracker.log_params(plan.about)
        try:
            yield tracker.run_id
        finally:
            conclude(study, plan, compose.OUTPUTS / "conf" / "experiment" / "tuned", tracker)


def main() -> None:
    """Entry point of `python -m src.tune` and `ncf-tune`."""
    if get_args_parser().parse_known_args()[0].multirun:
        # Hydra would start a sweep of searches before we are asked
        print("error: a search has many runs as it is: leave out -m", file=sys.stderr)
        sys.exit(cli.USER_ERROR)
    cli.run(tune, "tune")


if __name__ == "__main__":
    main()

"""Before a sweep: whether its jobs can start, and how long those that are missing will take."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import OmegaConf

from src.errors import UserError
from src.reporting.wording import counted, duration
from src.run.identity import name_kind
from src.run.rehearsal import rehearse
from src.sweeping.jobs import name_run
from src.sweeping.plan import Job


def rehearse_sweep(name: str, jobs: Sequence[Job], at_once: int) -> None:
    """Print what each kind of job takes, and all of them, `at_once` side by side.

    One of each kind is measured: jobs of other seeds take as long. What is finished takes nothing.
    Raises UserError at the end when some can't start.
    """
    missing = [job for job in jobs if job.wanted]
    print(f"sweep {name}: {len(jobs)} jobs, {len(jobs) - len(missing)} finished before", flush=True)
    seconds: dict[str, float] = {}
    mistakes: dict[str, UserError] = {}
    for job in missing:
        kind = _name_kind(job)
        if kind not in {*seconds, *mistakes}:
            try:
                seconds[kind] = _measure(job)
            except UserError as error:
                mistakes[kind] = error
                print(f"{_name(job)}: {error}", flush=True)
    known = [seconds[kind] for kind in map(_name_kind, missing) if kind in seconds]
    if known:
        side_by_side = f", {at_once} at once" if at_once > 1 else ""
        total = duration(sum(known) / at_once)
        print(f"in all      {total} at most for {counted(len(known), 'job')}{side_by_side}")
    if mistakes:
        n = sum(kind in mistakes for kind in map(_name_kind, missing))
        first = next(iter(mistakes.values()))
        raise UserError(f"{n} of {len(jobs)} jobs can't start, the first: {first}")


def _name_kind(job: Job) -> str:
    return name_kind(job.options)


def _name(job: Job) -> str:
    return name_run(job.options["model"]["name"], job.swept)


def _measure(job: Job) -> float:
    """Measure a job and print the result, and return the seconds that it takes at most."""
    stages = rehearse(OmegaConf.create(job.options))
    total = sum(stage.seconds for stage in stages)
    last = stages[-1]
    print(
        f"{_name(job)}: {last.parameters:,} parameters, {last.watch.memory / 10**6:,.0f} MB, "
        f"{last.epoch_seconds:.2g} s an epoch, {duration(total)} at most",
        flush=True,
    )
    return total

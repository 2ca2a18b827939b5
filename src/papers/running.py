"""Run the sweeps, each seed in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from src.config.compose import add_search_words, command_line
from src.config.processes import own_command, own_environment
from src.config.quoting import assign
from src.errors import INTERRUPTED, TERMINATED
from src.papers.reproduction import RecordedRuns
from src.papers.sweeps import Sweep
from src.sweeping.plan import Job

BY_WORTH = ("table2", "figure4", "figure7", "tables3-4")
"""Exhibits that are made before the others."""


def run_missing(sweeps: Mapping[str, Sequence[Sweep]], workers: int) -> list[Sweep]:
    """Run the exhibits' sweeps where jobs are missing; return those that failed, if in part.

    One seed of everything comes before the second of anything. A sweep that was run seed by seed
    is then called as a whole, which trains nothing, for a report of all seeds.
    """
    names = dict.fromkeys([*(name for name in BY_WORTH if name in sweeps), *sweeps])
    every = {sweep.name: sweep for name in names for sweep in sweeps[name]}.values()
    failed: dict[str, Sweep] = {}
    by_seed: dict[str, Sweep] = {}
    for seed in sorted({seed for sweep in every for seed in sweep.seeds}):
        for sweep in every:
            jobs = [job for job in sweep.jobs if job.options["seed"] == seed]
            if not _are_complete(jobs):
                if _train([*_select_seed(sweep, seed), *_name_and_launcher(sweep, workers)]):
                    failed[sweep.name] = sweep
                elif len(sweep.seeds) > 1:
                    by_seed[sweep.name] = sweep
    for name, sweep in by_seed.items():
        if name not in failed:
            _train([*sweep.words, *_name_and_launcher(sweep, workers)])
    return list(failed.values())


def _select_seed(sweep: Sweep, seed: int) -> list[str]:
    """Return the sweep's words for its jobs of one seed."""
    if len(sweep.seeds) == 1:
        return sweep.words
    return [*(word for word in sweep.words if not word.startswith("seed=")), f"seed={seed}"]


def _are_complete(jobs: Sequence[Job]) -> bool:
    """Tell whether every job is finished and recorded so."""
    if any(job.wanted for job in jobs):
        return False  # without a look at all that is recorded
    recorded = RecordedRuns.find(jobs)
    records = [recorded.get_record(job) for job in jobs]
    return all(record is not None and record.status == "FINISHED" for record in records)


def _name_and_launcher(sweep: Sweep, workers: int) -> list[str]:
    """Return the words of the sweep's name, and of the launcher that runs so many jobs at once."""
    launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]
    return [assign("sweep.name", sweep.name), *(launcher if workers > 1 else [])]


def _train(words: Sequence[str]) -> int:
    """Run `python -m src.train -m WORDS`, whose output is ours, and return its status.

    Raises KeyboardInterrupt when it was interrupted, SystemExit when it was terminated.
    """
    print(f"\n{command_line('train', '-m', *words)}", flush=True)
    process = subprocess.Popen(
        own_command("train", *add_search_words("-m", *words)), env=own_environment()
    )
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reaches it too, and it has records to close
        raise
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status in (TERMINATED, -signal.SIGTERM, -signal.SIGKILL):
        sys.exit(TERMINATED)
    return status

"""Runs the sweeps, each in a process of its own."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from src.papers.reproduction import Store
from src.papers.sweeps import Sweep


def run_missing(sweeps: Sequence[Sweep], workers: int) -> list[Sweep]:
    """Runs those that have unfinished or unrecorded jobs; returns those that failed, if in part."""
    failed = []
    for sweep in {sweep.name: sweep for sweep in sweeps}.values():
        store = Store.of(sweep.jobs)
        if not all(_done(sweep, store)):
            words = [*sweep.words, f"sweep.name={sweep.name}", *_launcher(workers)]
            if _run(words):
                failed.append(sweep)
    return failed


def _done(sweep: Sweep, store: Store) -> list[bool]:
    records = [store.record_of(job) for job in sweep.jobs]
    return [
        not job.wanted and record is not None and record.status == "FINISHED"
        for job, record in zip(sweep.jobs, records, strict=True)
    ]


def _launcher(workers: int) -> list[str]:
    if workers == 1:
        return []
    return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]


def _run(words: Sequence[str]) -> int:
    """Status of `python -m src.train -m WORDS`, whose output is ours.

    Raises KeyboardInterrupt when it was interrupted, SystemExit when it was terminated.
    """
    print(f"\npython -m src.train -m {shlex.join(words)}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", "src.train", "-m", *words])
    try:
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reaches it too, and it has records to close
        raise
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if status in (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGKILL):
        sys.exit(128 + signal.SIGTERM)
    return status

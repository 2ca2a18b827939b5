"""Run the sweeps, each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

from src.config.compose import add_search_words, command_line
from src.config.processes import own_command, own_environment
from src.config.quoting import assign
from src.errors import INTERRUPTED, TERMINATED
from src.papers.reproduction import RecordedRuns
from src.papers.sweeps import Sweep


def run_missing(sweeps: Sequence[Sweep], workers: int) -> list[Sweep]:
    """Run the sweeps with unfinished or unrecorded jobs; return those that failed, if in part."""
    failed = []
    for sweep in {sweep.name: sweep for sweep in sweeps}.values():
        if not _is_complete(sweep):
            words = [*sweep.words, assign("sweep.name", sweep.name), *_choose_launcher(workers)]
            if _train(words):
                failed.append(sweep)
    return failed


def _is_complete(sweep: Sweep) -> bool:
    """Tell whether every job of the sweep is finished and recorded so."""
    recorded = RecordedRuns.find(sweep.jobs)
    records = [recorded.get_record(job) for job in sweep.jobs]
    return all(
        not job.wanted and record is not None and record.status == "FINISHED"
        for job, record in zip(sweep.jobs, records, strict=True)
    )


def _choose_launcher(workers: int) -> list[str]:
    """Return the words of the launcher that runs so many jobs at once."""
    if workers == 1:
        return []
    return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"]


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

"""Several processes for one search: the same command, told by its environment to take part."""

from __future__ import annotations

import _thread
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from joblib import cpu_count

from src.config.processes import own_command, own_environment
from src.errors import INTERRUPTED, USER_ERROR, UserError

# Its presence makes a process a worker; what it says is the MLflow run that trials are children of
WORKER = "NCF_TUNE_WORKER"


def share_threads(workers: int, threads: int | None) -> int | None:
    """Return the CPU threads of a trial: `threads`, at most each worker's share of the cores."""
    if workers == 1:
        return threads
    share = max(1, int(cpu_count()) // workers)
    return share if threads is None else min(threads, share)


def run_workers(
    number: int,
    threads: int | None,
    folder: Path,
    parent: str | None,
    say: Callable[[str], None],
) -> None:
    """Run workers until they end, and say the lines that they print.

    They end at once when this process does, however it ends. Raises UserError, or RuntimeError for
    a bug, when one of them failed.
    """
    environment = {
        **own_environment(),
        WORKER: parent or "",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads or 1)),
    }
    command = own_command("tune", *sys.argv[1:])
    logs = [folder / f"worker-{place}.log" for place in range(number)]
    lines: queue.Queue[str | None] = queue.Queue()
    processes = []
    try:
        for log in logs:
            with log.open("w") as file:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    text=True,
                    start_new_session=True,  # Ctrl-C comes to us alone, and we tell them
                )
            processes.append(process)
            threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        for _ in processes:
            while (line := lines.get()) is not None:
                say(line)
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process, log in zip(processes, logs, strict=False):
            if process.wait() in (0, INTERRUPTED):
                log.unlink()
    for process, log in zip(processes, logs, strict=True):
        if process.returncode == USER_ERROR:
            line = log.read_text().splitlines()[-1]
            log.unlink()
            raise UserError(line.removeprefix("error: "))
        if process.returncode:
            raise RuntimeError(f"a worker ended with status {process.returncode}, see {log}")


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line.rstrip("\n"))
    lines.put(None)


def end_with_parent() -> None:
    """Interrupt this worker, as Ctrl-C would, as soon as the process that started it ends."""

    def wait() -> None:
        # not through sys.stdin, whose lock would be missed when the interpreter ends
        while os.read(0, 1):
            pass
        _thread.interrupt_main()

    threading.Thread(target=wait, daemon=True).start()

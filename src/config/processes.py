"""Start commands of this project in processes of their own, wherever they are started from."""

from __future__ import annotations

import _thread
import os
import sys
import time
from functools import cache
from pathlib import Path
from threading import Thread

from src.config.paths import SOURCE
from src.errors import TERMINATED

ROOT = str(SOURCE.parent)
"""The folder that this copy of `src` is imported from."""

BETWEEN_LOOKS = 0.5
TIME_TO_END = 15.0
"""Seconds: the record of what is interrupted is closed in that time."""


def own_command(command: str, *words: str) -> list[str]:
    """Return what starts `python -m src.COMMAND WORDS`, to be run with `own_environment`.

    -P keeps the working folder from the front of the path, where a `src` of the user's own would
    shadow this one; the command itself puts the folder at the end.
    """
    return [sys.executable, "-P", "-m", f"src.{command}", *words]


def own_environment() -> dict[str, str]:
    """Return this process's environment, in which `src` is this copy of it."""
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [ROOT, *(folder for folder in others if folder and folder != ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@cache
def end_with_parent() -> None:
    """Interrupt this process, as Ctrl-C would, as soon as the one that started it is gone.

    Its jobs would go on for nobody, beside those that the same command starts again.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(BETWEEN_LOOKS)
        _thread.interrupt_main()
        time.sleep(TIME_TO_END)
        os._exit(TERMINATED)  # it waits for more work from nobody

    Thread(target=watch, name="parent", daemon=True).start()


def launched_rank() -> tuple[int, bool]:
    """Return this process's number among those that torchrun or srun started, and if it has others.

    From the environment alone, because it is asked for at every start.
    """
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        return int(env["RANK"]), int(env["WORLD_SIZE"]) > 1
    if int(env.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return int(env["SLURM_PROCID"]), True
    return 0, False


def see_working_folder() -> None:
    """Let modules in the working folder be imported, as console scripts would not.

    It comes last, so that nothing in it shadows a module of ours or of a library; `src` is found
    before it also by processes that copy our path, such as joblib's.
    """
    for folder in (ROOT, str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)

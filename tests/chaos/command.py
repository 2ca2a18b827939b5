"""A command in forks of a process that has imported everything, so that a try takes a second."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

KILL, FAIL_ONCE, FAIL_FROM_THEN_ON = range(3)
NEVER = 2**62
LONGEST = 120
"""Seconds after which what hangs is killed."""

SMALL = (
    "data=synthetic",
    "data.source.n_users=40",
    "data.source.n_items=60",
    "data.source.n_interactions=900",
    "data.candidates=20",
    "trainer=cpu",
    "ks=[1,10]",
    "trainer.max_epochs=2",
    "data.batch_size=64",
    "checkpoint_every=3steps",
)
COMMANDS = {
    "run": (*SMALL, "model=neumf", "resume=auto"),
    "sweep": ("-m", *SMALL, "model=gmf,neumf"),
}


class Command:
    """`python -m src.train` with these words, below one home folder, with `faults.c` preloaded."""

    def __init__(self, words: Sequence[str], home: Path) -> None:
        self.words, self.home = list(words), home
        self.output = home.with_name("output.txt")
        self._count, self._modules = home.with_name("count.txt"), home.with_name("modules.txt")
        self._faults = ctypes.CDLL(None)

    def undisturbed(self, watch: Callable[[int], None] | None = None) -> int:
        """Run it; return how many changes it made.

        `watch` is called before and after each of them, as faults.c says, and the command waits.
        """
        status = self.run(watch=watch)
        assert status == 0, self.output.read_text()
        self._import()
        return int(self._count.read_text())

    def again(self, at: int = NEVER) -> int:
        """Do what a user does next: the same once more, or `src.sync` where it had finished.

        It is killed at change `at`, if it makes so many.

        Pictures and reports, which take half of the time, are left empty: they are not compared.
        """
        finished = list((self.home / "outputs" / "runs").glob("*/metrics.json"))
        return self.run(at, command="sync" if finished else "train", drawing=False)

    def run(
        self,
        at: int = NEVER,
        mode: int = KILL,
        error: int = 0,
        *,
        command: str = "train",
        drawing: bool = True,
        watch: Callable[[int], None] | None = None,
    ) -> int:
        """Run it, with a fault at change `at`; return its status, negative if it was killed."""
        os.environ["FAULTS_BELOW"] = str(self.home)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            self._faults.faults_watch(theirs.fileno() if watch else -1)
            self._faults.faults_arm(ctypes.c_long(at), mode, error)
            self._be_the_command(command, drawing=drawing)
        theirs.close()
        with ours:
            while watch and (told := ours.recv(8)):
                watch(int.from_bytes(told, sys.byteorder))
                with suppress(BrokenPipeError):
                    ours.send(b"\n")
        status = os.waitpid(child, 0)[1]
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _be_the_command(self, command: str, *, drawing: bool) -> None:
        signal.alarm(LONGEST)
        os.setpgid(0, 0)
        with self.output.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        from src.config import compose

        main = import_module(f"src.{command}").main
        compose.OUTPUTS = self.home / "outputs"
        sys.argv = [command, *(self.words if command == "train" else ["run=all"])]
        if not drawing:
            _draw_nothing()
        status: Any = 1
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            self._count.write_text(str(self._faults.faults_count()))
            self._modules.write_text("\n".join(sys.modules))
            os._exit(status if isinstance(status, int) else 0)

    def _import(self) -> None:
        """Import what the command did, and digest the code, for all forks that follow."""
        from src.run.code_identity import code_version

        for name in self._modules.read_text().split():
            if name not in sys.modules:
                with suppress(ImportError):  # some are made by their packages
                    import_module(name)
        code_version()


def _draw_nothing() -> None:
    """Let the picture of a run and the report of a sweep be empty files."""
    from matplotlib.figure import Figure

    from src.reporting.comparison import comparison_page

    Figure.savefig = lambda _, file, **__: Path(file).write_bytes(b"")
    comparison_page.write_report = lambda *given: given[-1].write_bytes(b"")


def copy_folder(source: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)

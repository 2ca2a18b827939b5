"""Every crash point of a command: dying, or a disk that fails, at each change of a file.

The command runs in a fork of a process that has imported everything, so that a try takes a second.
`python -m tests.chaos.crash_points` starts that process with `faults.c` preloaded.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KILL, FAIL_ONCE, FAIL_FROM_THEN_ON = range(3)
NEVER = 2**62

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
# What two runs of one seed differ in
TIMES = ("second", "per_second")


@dataclass
class Tried:
    """What a kind of fault came to."""

    fault: str
    points: str
    """Which were tried, such as "every 40th of 1,130"."""
    tries: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)

    def note(self, where: str, problem: str | None) -> None:
        """Count a try, and what was lost in it."""
        self.tries += 1
        self.survived += problem is None
        if problem is not None:
            self.lost.append(f"{where}: {problem}")


class Command:
    """A command that runs in forks of this process, below one home folder."""

    def __init__(self, words: Sequence[str], home: Path, shadow: Path | None = None) -> None:
        self.words, self.home, self.shadow = list(words), home, shadow
        self.faults = ctypes.CDLL(None)
        self.output = home.with_name("output.txt")

    def again(self) -> int:
        """Do what a user does next: the same once more, or `src.sync` where it had finished."""
        finished = list((self.home / "outputs" / "runs").glob("*/metrics.json"))
        return self.run(command="sync") if finished else self.run()

    def run(
        self, at: int = NEVER, mode: int = KILL, error: int = 0, *, command: str = "train"
    ) -> int:
        """Run it, with a fault at change `at`; return its status, negative if it was killed."""
        os.environ["FAULTS_BELOW"] = str(self.home)
        os.environ.pop("FAULTS_SHADOW", None)
        if self.shadow is not None:
            os.environ["FAULTS_SHADOW"] = str(self.shadow)
        child = os.fork()
        if child == 0:
            self._be_the_command(at, mode, error, command)
        status = os.waitpid(child, 0)[1]
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _be_the_command(self, at: int, mode: int, error: int, command: str) -> None:
        signal.alarm(120)  # what hangs is killed, and counts as lost
        os.setpgid(0, 0)
        with self.output.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        from src.config import compose

        main = import_module(f"src.{command}").main
        compose.OUTPUTS = self.home / "outputs"
        sys.argv = [command, *(self.words if command == "train" else ["run=all"])]
        self.faults.faults_arm(ctypes.c_long(at), mode, error)
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
            count = self.home.with_name("count.txt")
            count.write_text(str(self.faults.faults_count()))
            os._exit(status if isinstance(status, int) else 0)

    def count(self) -> int:
        """Run it undisturbed; return how many changes it made."""
        assert self.run() == 0, self.output.read_text()
        return int(self.home.with_name("count.txt").read_text())

    def clear(self, template: Path) -> None:
        """Begin with the home that `template` holds."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(template, self.home)
        if self.shadow is not None:
            shutil.rmtree(self.shadow, ignore_errors=True)
            self.shadow.mkdir()
            for file in filter(Path.is_file, self.home.rglob("*")):
                shutil.copyfile(file, self.shadow / str(file.stat().st_ino))

    def cut_the_power(self) -> None:
        """Leave in the home only what was forced to the disk."""
        assert self.shadow is not None
        for file in self.home.rglob("*"):
            if file.is_file() and not file.is_symlink():
                kept = self.shadow / str(file.stat().st_ino)
                file.write_bytes(kept.read_bytes() if kept.exists() else b"")


def result(home: Path) -> dict[str, Any]:
    """Return all that has to be the same in the end."""
    import pandas as pd
    import torch

    found: dict[str, Any] = {}
    for metrics in sorted((home / "outputs").glob("*/*/metrics.json")):
        folder = metrics.parent
        values = json.loads(metrics.read_text())
        kept = {k: v for k, v in values.items() if not any(time in k for time in TIMES)}
        content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        weights = {name: value.tolist() for name, value in content["state_dict"].items()}
        users = pd.read_parquet(folder / "per_user.parquet").to_dict("list")
        name = folder.name if folder.parent.name == "jobs" else "run"
        found[f"{name}-{len(found)}"] = {"metrics": kept, "weights": weights, "users": users}
    found["record"] = record(home / "outputs" / "mlflow.db")
    return found


def record(database: Path) -> list[Any]:
    """Return the store's runs: how each ended, its points by epoch, its final metrics."""
    query = (
        "SELECT runs.run_uuid, runs.status, runs.name, m.key, m.step, round(m.value, 5)"
        " FROM runs LEFT JOIN metrics m ON m.run_uuid = runs.run_uuid ORDER BY m.timestamp"
    )
    runs: dict[str, list[Any]] = {}
    with sqlite3.connect(database) as connection:
        for run, status, name, *point in connection.execute(query):
            known = runs.setdefault(run, [status, name.rpartition("_")[0], []])
            # a sweep counts its jobs at the end of every start: the last count is the sweep's
            if str(point[0]).startswith("jobs/"):
                known[2] = [other for other in known[2] if other[0] != point[0]]
            if not any(time in str(point[0]) for time in TIMES):
                known[2].append(point)
    return sorted([status, name, sorted(points, key=str)] for status, name, points in runs.values())


def compare(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Return what differs; None where nothing does."""
    if set(found) != set(expected):
        return f"runs {sorted(found)} instead of {sorted(expected)}"
    for name, value in expected.items():
        if found[name] == value:
            continue
        if name == "record":
            return f"the record has {_differing(found[name], value)[:1000]}"
        return f"{name}: {next(k for k in value if found[name][k] != value[k])} differ"
    return None


def _differing(found: list[Any], expected: list[Any]) -> str:
    """Describe the runs of a record that are not as expected, by what they have and should have."""
    more = [run for run in found if run not in expected]
    less = [run for run in expected if run not in found]
    points = [[point for run in runs for point in run[2]] for runs in ([*more], [*less])]
    which = [[run[:2] for run in runs] for runs in (more, less)]
    own = [[p for p in these if p not in those] for these, those in (points, points[::-1])]
    return f"{which[0]} {own[0]} instead of {which[1]} {own[1]}"


def try_points(
    command: Command,
    template: Path,
    expected: dict[str, Any],
    tried: Tried,
    points: Sequence[int],
    disturb: Callable[[Command, int], None],
) -> None:
    """Disturb the command at each point, run it again, and compare the end."""
    for point in points:
        command.clear(template)
        disturb(command, point)
        status = command.again()
        if status != 0:
            last = command.output.read_text().strip().splitlines()[-1:]
            tried.note(f"{tried.fault} at {point}", f"status {status} afterwards: {last}")
        else:
            tried.note(f"{tried.fault} at {point}", compare(result(command.home), expected))
        if tried.lost and tried.lost[-1].startswith(f"{tried.fault} at {point}:"):
            print("LOST", tried.lost[-1], flush=True)


def kill(command: Command, point: int) -> None:
    command.run(point)


def fill_the_disk(command: Command, point: int) -> None:
    command.run(point, FAIL_FROM_THEN_ON, errno.ENOSPC)


def fail_once(command: Command, point: int) -> None:
    command.run(point, FAIL_ONCE, errno.EIO)


def cut_the_power(command: Command, point: int) -> None:
    command.run(point)
    command.cut_the_power()


def kill_again_and_again(command: Command, point: int) -> None:
    rng = random.Random(point)
    for _ in range(10):
        command.run(rng.randrange(1, 400))


FAULTS: dict[str, Callable[[Command, int], None]] = {
    "killed": kill,
    "disk full from there on": fill_the_disk,
    "one write fails (EIO)": fail_once,
    "power cut": cut_the_power,
    "killed ten times": kill_again_and_again,
}


def try_all(name: str, faults: Sequence[str], step: int, first: int = 1) -> list[Tried]:
    """Try every step-th point of a command with each of the faults."""
    with tempfile.TemporaryDirectory() as folder:
        template, home = Path(folder, "template"), Path(folder, "home")
        warm_up = Command((*SMALL, "model=gmf", "tracking.experiment=other"), template)
        template.mkdir()
        warm_up.count()  # makes store and prepared data, which have tests of their own
        shutil.rmtree(template / "outputs" / "runs")
        command = Command(COMMANDS[name], home)
        command.clear(template)
        n = command.count()
        expected = result(home)
        print(f"{name}: {n} changes of files", flush=True)
        found = []
        for fault in faults:
            command.shadow = home.with_name("shadow") if fault == "power cut" else None
            every = step * (10 if fault == "killed ten times" else 1)
            points = range(first, n + 1, every)
            tried = Tried(
                f"{name}, {fault}", f"every {every}th of {n:,}" if every > 1 else f"all {n:,}"
            )
            try_points(command, template, expected, tried, points, FAULTS[fault])
            print(f"{tried.fault}: {tried.survived} of {tried.tries}", flush=True)
            found.append(tried)
        return found


def main(words: Sequence[str]) -> None:
    """Build faults.c, start this file again with it preloaded, and write what was found."""
    if "faults" not in os.environ.get("LD_PRELOAD", ""):
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "faults.so")
            source = HERE / "faults.c"
            subprocess.run(
                ["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
            )
            again = [sys.executable, "-m", "tests.chaos.crash_points", *words]
            env = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
            sys.exit(subprocess.run(again, env=env, check=False).returncode)
    from src.config.startup import importing

    with importing():
        import mlflow.tracking  # noqa: F401
        import pandas  # noqa: F401
        import pyarrow.parquet  # noqa: F401

        from src.reporting.comparison import comparison_page  # noqa: F401
        from src.run import experiment  # noqa: F401
        from src.sweeping import record as of_sweeps  # noqa: F401
    name, step, out, *faults = words
    found = try_all(name, faults or list(FAULTS), int(step))
    Path(out).write_text(json.dumps([vars(tried) for tried in found], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])

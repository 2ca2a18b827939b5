"""Every crash point of a command: a kill, a power cut or a failing disk at each change of a file.

`python -m tests.chaos.crash_points run 1 found.json killed` starts again from each state that a run
leaves when it is killed; `... again FOLDER` repeats a try of which something was lost.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.command import (
    COMMANDS,
    FAIL_FROM_THEN_ON,
    FAIL_ONCE,
    SMALL,
    Command,
    copy_folder,
)
from tests.chaos.outcome import compare, result
from tests.chaos.states import States, distinct
from tests.commands import REPOSITORY

HERE = Path(__file__).parent
LOST = REPOSITORY / "outputs" / "lost"
"""Has the homes from which starting again lost something."""

MANY = ("sweep",)
"""Commands with so many states that those count as one that differ in what nobody reads."""

Point = tuple[int, Callable[[], object]]
"""The number of a change, and what brings about the fault there."""


@dataclass
class Tried:
    """What a kind of fault came to."""

    fault: str
    points: str
    """Which were tried, such as "every 40th of 1,130"."""
    tries: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)


def kill(command: Command, point: int) -> None:
    command.run(point)


def fill_the_disk(command: Command, point: int) -> None:
    command.run(point, FAIL_FROM_THEN_ON, errno.ENOSPC)


def fail_once(command: Command, point: int) -> None:
    command.run(point, FAIL_ONCE, errno.EIO)


def kill_again_and_again(command: Command, point: int) -> None:
    rng = random.Random(point)
    for _ in range(10):
        command.again(rng.randrange(1, 400))


IN_PLACE: dict[str, Callable[[Command, int], None]] = {
    "killed in earnest": kill,
    "disk full from there on": fill_the_disk,
    "one write fails (EIO)": fail_once,
    "killed ten times": kill_again_and_again,
}
"""Faults that the command itself meets."""
FROM_STATES = ("killed", "power cut")
"""Faults of which nothing is left but the files, which one run shows."""
FAULTS = (*FROM_STATES, *IN_PLACE)


class Home:
    """A command's home, what is in it before, and what the undisturbed command comes to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.template = name, folder / "template"
        self.template.mkdir()
        warm_up = Command((*SMALL, "model=gmf", "tracking.experiment=other"), self.template)
        warm_up.undisturbed()  # makes store and prepared data, which have tests of their own
        shutil.rmtree(self.template / "outputs" / "runs")
        self.command = Command(COMMANDS[name], folder / "home")
        self.clear()
        self.states = States(self.command.home)
        self.n = self.command.undisturbed(self.states.watch)
        self.expected = result(self.command.home)
        assert not self.states.unseen, f"changed unseen: {sorted(self.states.unseen)}"
        assert len(self.states.killed) == self.n

    def clear(self) -> None:
        copy_folder(self.template, self.command.home)

    def points(self, fault: str, step: int) -> tuple[str, Iterator[Point]]:
        """Return every step-th point of a fault, and which these are, in words."""
        if fault in IN_PLACE:
            numbers = range(1, self.n + 1, step)
            which = f"all {self.n:,}" if step == 1 else f"{every(step)} of {self.n:,}"
            return which, ((n, lambda n=n: self._disturb(fault, n)) for n in numbers)
        listed = self.states.killed if fault == "killed" else self.states.cut_off
        states = distinct(self.states, listed, unread=self.name not in MANY)
        which = f"all {self.n:,}, which leave {len(states):,} states"
        if step > 1:
            which = f"{every(step)} of {len(states):,} states that {self.n:,} leave"
        chosen = list(states.items())[::step]
        return which, ((n, lambda state=state: self.states.restore(state)) for n, state in chosen)

    def _disturb(self, fault: str, number: int) -> None:
        self.clear()
        IN_PLACE[fault](self.command, number)

    def try_points(self, fault: str, step: int) -> Tried:
        """Bring about the fault at each point, start again, and compare the end."""
        which, points = self.points(fault, step)
        tried = Tried(f"{self.name}, {fault}", which)
        for number, bring_about in points:
            bring_about()
            before = self.command.home.with_name("before")
            copy_folder(self.command.home, before)
            problem = start_again(self.command, self.expected)
            tried.tries += 1
            tried.survived += problem is None
            if problem is not None:
                kept = LOST / f"{self.name}-{fault.replace(' ', '-')}-{number}"
                self._keep(before, kept)
                tried.lost.append(f"{tried.fault} at {number}: {problem}")
                print(f"LOST {tried.lost[-1]}\n  again: python -m {NAME} again {kept}", flush=True)
        print(f"{tried.fault}: {tried.survived} of {tried.tries}, {which}", flush=True)
        return tried

    def _keep(self, before: Path, kept: Path) -> None:
        """Keep what a try began with that something was lost in, and what it printed."""
        copy_folder(before, kept / "home")
        shutil.copy(self.command.output, kept)
        about = {"name": self.name, "home": str(self.command.home), "expected": self.expected}
        (kept / "about.json").write_text(json.dumps(about))


def every(step: int) -> str:
    suffix = {2: "nd", 3: "rd"}.get(step, "th")
    return f"every {step}{suffix}"


def start_again(command: Command, expected: dict[str, Any]) -> str | None:
    """Start the command again, to its end; return what is not as expected, None if all is."""
    status = command.again()
    if status != 0:
        return f"status {status} afterwards: {command.output.read_text().strip()[-2000:]}"
    return compare(json.loads(json.dumps(result(command.home))), expected)


def repeat(kept: Path) -> None:
    """Repeat a try in which something was lost, at the place where its home was."""
    about = json.loads((kept / "about.json").read_text())
    home = Path(about["home"])
    home.parent.mkdir(parents=True, exist_ok=True)
    copy_folder(kept / "home", home)
    print(start_again(Command(COMMANDS[about["name"]], home), about["expected"]) or "nothing lost")


NAME = "tests.chaos.crash_points"


def main(words: Sequence[str]) -> None:
    """Build faults.c, start this file again with it preloaded, and write what was found."""
    if "faults" not in os.environ.get("LD_PRELOAD", ""):
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder, "faults.so")
            source = HERE / "faults.c"
            subprocess.run(
                ["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread"],
                check=True,
            )
            again = [sys.executable, "-m", NAME, *words]
            env = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
            sys.exit(subprocess.run(again, env=env, check=False).returncode)
    from src.config.startup import importing

    with importing():
        import mlflow.tracking  # noqa: F401
        import pyarrow.parquet  # noqa: F401

        from src.reporting.comparison import comparison_page  # noqa: F401
        from src.run import experiment  # noqa: F401
        from src.sweeping import record as of_sweeps  # noqa: F401
    if words[0] == "again":
        repeat(Path(words[1]))
        return
    name, step, out, *faults = words
    with tempfile.TemporaryDirectory() as folder:
        home = Home(name, Path(folder))
        found = [home.try_points(fault, int(step)) for fault in faults or FAULTS]
    Path(out).write_text(json.dumps([vars(tried) for tried in found], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])

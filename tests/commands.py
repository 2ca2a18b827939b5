"""Running the commands as a user does: each in a process of its own, on data made in a blink."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

MODELS = sorted(path.stem for path in (REPOSITORY / "conf" / "model").glob("*.yaml"))

SMALL_DATA = (
    "data=synthetic",
    "data.source.n_users=200",
    "data.source.n_items=100",
    "data.source.n_interactions=6000",
    "data.candidates=20",
)
ONE_THREAD = ("trainer=cpu", "trainer.threads=1")
TINY = (*SMALL_DATA, *ONE_THREAD, "ks=[1,10]", "trainer.max_epochs=2")


@dataclass(frozen=True)
class Finished:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def folder(self) -> Path:
        """Where the command says that it wrote."""
        return Path(self.said("folder"))

    @property
    def run_id(self) -> str:
        """The MLflow run that the command says it made."""
        return self.said("tracking").split()[2]

    def said(self, first_word: str) -> str:
        """The rest of the only line of stdout that starts so."""
        (line,) = [line for line in self.out.splitlines() if line.split(" ")[0] == first_word]
        return line.removeprefix(first_word).strip()


def start(home: Path, *words: str, command: str = "src.train") -> subprocess.Popen[str]:
    """`python -m src.train ...`, writing below `home`, with its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", command, *words],
        cwd=REPOSITORY,
        env={**os.environ, "NCF_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Finished:
    out, err = process.communicate(timeout=300)
    return Finished(process.returncode, out, err)


def train(home: Path, *words: str) -> Finished:
    return finish(start(home, *words))

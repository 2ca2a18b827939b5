"""Fixtures for all tests."""

from __future__ import annotations

import itertools
import logging
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import pytest
import torch

from tests.commands import TINY, Finished, train

# Threads that wait for each other make tiny tensors slow wherever the cores have other work
torch.set_num_threads(1)

# A shell's background job ignores Ctrl-C, and so would the commands that tests start and interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Numbers that runs flush to zero, hypothesis draws."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public research data beside the repository, which may not be copied into it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no research data at {folder}")
    return folder


@dataclass(frozen=True)
class TrainedHome:
    """A home folder in which a tiny NeuMF was trained, in a process of its own."""

    home: Path
    run: Finished

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.home}/outputs/mlflow.db"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedHome:
    """Shared by many tests: read it, add runs to it, change nothing in it."""
    home = tmp_path_factory.mktemp("home")
    run = train(home, *TINY)
    assert run.status == 0, run.err
    return TrainedHome(home, run)


class Call(Protocol):
    def __call__(self, *words: str, command: str = "train", home: Path | None = None) -> Finished:
        """Runs a command with these words on its command line, writing below `home`."""
        ...


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Call]:
    """A command in this process: what `python -m src.<command>` does, without the slow imports."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    on_term = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    numbers = itertools.count()

    def call(*words: str, command: str = "train", home: Path | None = None) -> Finished:
        outputs = (home or tmp_path) / "outputs"
        # the default would be the same for two runs of one second and process
        chosen = any(word.startswith("hydra.run.dir") for word in words)
        folder = [] if chosen else [f"hydra.run.dir={tmp_path}/{command}-{next(numbers)}"]
        monkeypatch.setattr("src.config.compose.OUTPUTS", outputs)
        monkeypatch.setattr(sys, "argv", [command, *words, *folder])
        capsys.readouterr()
        main = import_module(f"src.{command}").main
        try:
            status = main() or 0
        except SystemExit as end:
            status = end.code
        return Finished(status, *capsys.readouterr())

    yield call
    root.handlers[:] = handlers
    root.setLevel(level)
    signal.signal(signal.SIGTERM, on_term)

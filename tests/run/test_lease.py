"""One process at a run; what stands still is taken over once, and writes nothing afterwards."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from src.config.durable import write_text
from src.errors import UserError
from src.run import lease
from src.run.lease import LostLeaseError, holding, is_held

fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "STALE", 0.6)
    monkeypatch.setattr(lease, "POLL", 0.02)


def work(folder: Path, pipe: Any, wait: bool) -> None:
    """Hold the lease until told to write, and say how that went."""
    try:
        with holding(folder, wait=wait):
            pipe.send("holding")
            pipe.recv()
            write_text(folder / "result.txt", str(os.getpid()))
        pipe.send("written")
    except UserError as error:
        pipe.send(type(error).__name__)


class Worker:
    def __init__(self, folder: Path, *, wait: bool = True) -> None:
        self.pipe, other = fork.Pipe()
        self.process = fork.Process(target=work, args=(folder, other, wait))
        self.process.start()

    def said(self, within: float = 10) -> str | None:
        return self.pipe.recv() if self.pipe.poll(within) else None

    def send(self, sent: signal.Signals) -> None:
        assert self.process.pid
        os.kill(self.process.pid, sent)


@pytest.fixture
def workers() -> Iterator[list[Worker]]:
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.send(signal.SIGKILL) if worker.process.is_alive() else None
        worker.process.join()


def test_the_second_waits_for_the_first_however_long(tmp_path: Path, workers: list[Worker]) -> None:
    workers += [(first := Worker(tmp_path))]
    assert first.said() == "holding"
    assert is_held(tmp_path)
    workers += [(second := Worker(tmp_path))]
    assert second.said(within=1.5) is None  # longer than a lease lasts that nobody renews
    first.pipe.send("write")
    assert first.said() == "written"
    assert second.said() == "holding"


def test_a_killed_one_gives_way_at_once(tmp_path: Path, workers: list[Worker]) -> None:
    workers += [(first := Worker(tmp_path))]
    assert first.said() == "holding"
    first.send(signal.SIGKILL)
    first.process.join()
    assert not is_held(tmp_path)
    started = time.monotonic()
    with holding(tmp_path, wait=False):
        assert time.monotonic() - started < lease.STALE


def test_one_that_stands_still_is_taken_over_once_and_writes_nothing(
    tmp_path: Path, workers: list[Worker]
) -> None:
    workers += [(first := Worker(tmp_path))]
    assert first.said() == "holding"
    first.send(signal.SIGSTOP)
    workers += [(second := Worker(tmp_path)), (third := Worker(tmp_path))]
    answers = [second.said(within=3), third.said(within=1)]
    assert sorted(answers, key=str) == [None, "holding"]
    taker, waiting = (second, third) if answers[0] else (third, second)
    first.send(signal.SIGCONT)
    first.pipe.send("write")
    assert first.said() == LostLeaseError.__name__
    assert not (tmp_path / "result.txt").exists()
    taker.pipe.send("write")
    assert taker.said() == "written"
    assert (tmp_path / "result.txt").read_text() == str(taker.process.pid)
    assert waiting.said() == "holding"


def test_who_does_not_wait_is_refused(tmp_path: Path, workers: list[Worker]) -> None:
    workers += [(first := Worker(tmp_path))]
    assert first.said() == "holding"
    with pytest.raises(UserError, match="another process is at"), holding(tmp_path, wait=False):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"generation": 0}'])
def test_a_damaged_lease_is_nobody_s(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lease").write_text(content)
    with holding(tmp_path, wait=False):
        write_text(tmp_path / "result.txt", "written")

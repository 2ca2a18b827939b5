"""The order in which the sweeps behind tables and figures run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from src.papers import running
from src.papers.sweeps import Sweep
from src.sweeping.plan import Job


def _make_sweep(name: str, seeds: Sequence[int]) -> Sweep:
    jobs = [Job([], {}, {"seed": seed}, f"{name}-{seed}", Path(name, str(seed))) for seed in seeds]
    words = ["experiment=x", *(["seed=0,1"] if len(seeds) > 1 else [])]
    return Sweep(name, "ncf-ml-1m", "leave-one-out", words, jobs)


SWEEPS = {
    "figure6": [_make_sweep("six", (0, 1))],
    "table2": [_make_sweep("two", (0, 1)), _make_sweep("flat", (0,))],
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is called: the sweep's name and its words between the experiment and that."""
    called: list[tuple[str, str]] = []

    def train(words: Sequence[str]) -> int:
        *others, name = words[1:]
        called.append((name.removeprefix("sweep.name="), " ".join(others)))
        return int(name == "sweep.name=six" and "seed=1" in words)

    monkeypatch.setattr(running, "_train", train)
    monkeypatch.setattr(running, "_are_complete", lambda jobs: not jobs)
    return called


def test_one_seed_of_everything_comes_first(calls: list[tuple[str, str]]) -> None:
    failed = running.run_missing(SWEEPS, 1)
    by_seed = [("two", "seed=0"), ("flat", ""), ("six", "seed=0"), ("two", "seed=1")]
    # what failed in part is not called as a whole
    assert calls == [*by_seed, ("six", "seed=1"), ("two", "seed=0,1")]
    assert failed == SWEEPS["figure6"]

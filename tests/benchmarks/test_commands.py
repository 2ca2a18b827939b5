"""The programs that `make bench` starts, on small data."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.commands import python
from tests.commands import TINY


def test_large_measures_a_part_of_an_epoch(tmp_path: Path) -> None:
    # more than two calls of training
    larger = [f"data.source.{name}" for name in ("n_users=1000", "n_interactions=40000")]
    printed = python("-m", "benchmarks.large", "3", *TINY, *larger, home=tmp_path)
    found = json.loads(printed.splitlines()[-1])
    assert found["prepare_seconds"] > 0
    assert 100 < found["peak_megabytes"] < 2000
    assert found["microseconds_per_example"] * found["examples_per_second"] > 0.99e6


def test_the_catalogue_both_ways(tmp_path: Path) -> None:
    for which in ("ours", "plain"):
        printed = python("-m", "benchmarks.catalogue", which, *TINY, home=tmp_path)
        assert json.loads(printed.splitlines()[-1])["seconds"] > 0


def test_the_first_step_is_the_last_thing_done(tmp_path: Path) -> None:
    printed = python("-m", "benchmarks.first_step", *TINY, "tracking=none", home=tmp_path)
    assert "preparing synthetic" in printed
    assert "epoch" not in printed


def test_the_share_is_of_the_fit(tmp_path: Path) -> None:
    printed = python("-m", "benchmarks.share", *TINY, "tracking=none", home=tmp_path)
    found = json.loads(printed.splitlines()[-1])
    assert 0 < found["own"] < found["fit"]
    assert 0 < found["overhead"] < found["fit"]

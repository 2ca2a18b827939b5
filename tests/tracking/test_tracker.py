from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from src.tracking import Tracker, open_tracker
from src.tracking.tracker import flatten


class Recorder(Tracker):
    def __init__(self) -> None:
        self.tags: dict[str, Any] = {}
        self.statuses: list[str] = []

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags.update(tags)

    def finish(self, status: str) -> None:
        self.statuses.append(status)


def test_flatten() -> None:
    nested = {"seed": 0, "model": {"factors": 8, "pretrained": {"gmf": None}}, "ks": [1, 10]}
    assert flatten(nested) == {
        "seed": 0,
        "model.factors": 8,
        "model.pretrained.gmf": None,
        "ks": [1, 10],
    }


def test_a_block_that_ends_is_finished() -> None:
    with Recorder() as tracker:
        pass
    assert (tracker.statuses, tracker.tags) == (["FINISHED"], {})


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(143)])
def test_a_signal_kills(end: BaseException) -> None:
    tracker = Recorder()
    with pytest.raises(type(end)), tracker:
        raise end
    assert (tracker.statuses, tracker.tags) == (["KILLED"], {})


def test_an_error_fails_and_is_told() -> None:
    tracker = Recorder()
    with pytest.raises(ValueError, match="disk"), tracker:
        raise ValueError("disk full")
    assert (tracker.statuses, tracker.tags) == (["FAILED"], {"error": "disk full"})


def test_none_listens_to_nobody() -> None:
    tracker = open_tracker({"name": "none"}, {}, Path())
    assert type(tracker) is Tracker
    assert (tracker.logger, tracker.location) == (None, None)

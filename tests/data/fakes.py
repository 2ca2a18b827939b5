"""A source that counts how often it is read, and preparation options to vary."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import chain

import numpy as np

from src.data.data_options import PreparationOptions
from src.data.interactions import Interactions
from src.data.sources.source import ReleasedSplit
from src.errors import UserError


def interactions(
    seen: list[list[int]], n_items: int, times: list[list[int]] | None = None
) -> Interactions:
    """Return the items of users 0, 1, ... in order; user 3 is called 1003, item 3 "i3"."""
    return Interactions(
        np.repeat(np.arange(len(seen), dtype=np.int32), [len(items) for items in seen]),
        np.fromiter(chain(*seen), np.int32),
        1000 + np.arange(len(seen)),
        np.array([f"i{item}" for item in range(n_items)]),
        timestamps=None if times is None else np.fromiter(chain(*times), np.int64),
    )


class FakeSource:
    """A source of interactions or a released split from memory."""

    def __init__(self, data: Interactions | ReleasedSplit, content: str = "a") -> None:
        self.data, self.content = data, content
        self.reads = 0
        self.given_parts: tuple[str, ...] = ()
        self.broken = False
        self.seconds = 0.05
        """What reading takes: long enough for a second reader to come in, if nothing stops it."""

    def fingerprint(self) -> str:
        return self.content

    def read(self) -> Interactions | ReleasedSplit:
        self.reads += 1
        if self.broken:
            raise UserError("line 3 is no rating")
        time.sleep(self.seconds)
        return self.data


OPTIONS = PreparationOptions(
    split="leave-one-out",
    validation=True,
    test_ratio=0.2,
    validation_ratio=0.2,
    candidates=2,
    threshold=None,
    k_core=1,
    split_seed=0,
)


def options(**changes: object) -> PreparationOptions:
    return replace(OPTIONS, **changes)  # type: ignore[arg-type]

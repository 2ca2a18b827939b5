"""What a data source is: something with a fingerprint that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from src.data.interactions import IntArray, Interactions


@dataclass(frozen=True)
class ReleasedSplit:
    """A split that somebody published, with its negatives; both parts share one id space."""

    train: Interactions
    test: Interactions
    negatives: IntArray
    """int32 [len(test), C]: the released candidates of each test row, in the order of `test`."""


class Source(Protocol):
    """Where interactions come from."""

    def fingerprint(self) -> str:
        """Hex digest of the source's content and of the options that change how it is read.

        Locates the files (and downloads them if they are nowhere), but does not parse them.
        Raises UserError when they can't be had.
        """
        ...

    def read(self) -> Interactions | ReleasedSplit:
        """Parse the files. Raises UserError that names the file, and the line if there is one."""
        ...

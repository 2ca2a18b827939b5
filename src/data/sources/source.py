"""The interface of a data source: it has a fingerprint and can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from src.data.interactions import IntArray, Interactions


@dataclass(frozen=True)
class ReleasedSplit:
    """A split that somebody made, published or the user's own; its parts share one id space."""

    train: Interactions
    test: Interactions
    negatives: IntArray | None
    """int32 [len(test), C]: the candidates of each test row, in the order of `test`, if any."""
    validation: Interactions | None = None
    """None where it is to be taken from training."""


class Source(Protocol):
    """A place that interactions are read from.

    One that brings parts of its own names them in an attribute `given_parts`: "val", "test".
    """

    def fingerprint(self) -> str:
        """Return a hex digest of the source's content and of the options for reading it.

        Locate the files (download them if they are nowhere), but don't parse them. Raises UserError
        when they are neither there nor can be downloaded.
        """
        ...

    def read(self) -> Interactions | ReleasedSplit:
        """Parse the files. Raises UserError that names the file, and the line if there is one."""
        ...

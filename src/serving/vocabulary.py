"""From raw ids, as people write them, to the numbers that models count with, and back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Vocabulary:
    """The raw ids of users or items, integers or texts; an integer is found as a text too."""

    def __init__(self, raw: NDArray[Any]) -> None:
        """`raw` [n]: the raw id of each number."""
        self.raw = raw

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {str(raw): number for number, raw in enumerate(self.raw.tolist())}

    def find(self, raw: object) -> int | None:
        """Return the number of a raw id; None if it is unknown."""
        return self._numbers.get(str(raw))

    def split(self, raw: Iterable[object]) -> tuple[NDArray[np.int64], list[str]]:
        """Return the numbers of the raw ids that are known, in order, and the texts of others."""
        found = [(one, self.find(one)) for one in raw]
        known = [number for _, number in found if number is not None]
        return np.array(known, np.int64), [str(one) for one, number in found if number is None]

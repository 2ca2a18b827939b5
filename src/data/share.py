"""What each of several processes takes of a whole."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """The share of process `rank` among `world_size`, counted from 0."""

    rank: int
    world_size: int

    def of(self, n: int) -> slice:
        """Return this process's part of n things in a row: parts meet, and differ by one at most.

        It is empty for some where n is less than the number of processes.
        """
        return slice(n * self.rank // self.world_size, n * (self.rank + 1) // self.world_size)


WHOLE = Share(0, 1)

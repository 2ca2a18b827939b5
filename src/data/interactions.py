"""The type that every part of the project passes around: who interacted with what, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer[Any]]

UNKNOWN_TIME = np.iinfo(np.int64).min
"""The time of an interaction in data that have times for some users only."""


@dataclass(frozen=True)
class Interactions:
    """User-item pairs with contiguous ids; raw ids live only in the two vocabularies.

    Arrays keep the order of the source file. All but the vocabularies have length [n].
    """

    users: IntArray
    """int32 [n], 0 <= user < n_users."""
    items: IntArray
    """int32 [n], 0 <= item < n_items."""
    user_ids: NDArray[Any]
    """[n_users] raw id of each user: integers or strings."""
    item_ids: NDArray[Any]
    """[n_items] raw id of each item: integers or strings."""
    ratings: NDArray[np.float32] | None = None
    timestamps: NDArray[np.int64] | None = None
    """Seconds since 1970, or any number that grows with time; `UNKNOWN_TIME` where none is."""

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    def __len__(self) -> int:
        return len(self.users)

    def timed_users(self) -> NDArray[np.bool_]:
        """Mark the users whose times are all known: bool [n_users]."""
        timed = np.zeros(self.n_users, bool)
        if self.timestamps is not None:
            timed[self.users] = True
            timed[self.users[self.timestamps == UNKNOWN_TIME]] = False
        return timed

    def take(self, index: NDArray[Any]) -> Interactions:
        """Return the interactions at `index` (positions or a boolean mask), with the same ids."""
        return replace(
            self,
            users=self.users[index],
            items=self.items[index],
            ratings=None if self.ratings is None else self.ratings[index],
            timestamps=None if self.timestamps is None else self.timestamps[index],
        )


def concatenate(one: Interactions, other: Interactions) -> Interactions:
    """Append the rows of `other` to those of `one`; both have the same columns and ids."""

    def join_column(name: str) -> NDArray[Any] | None:
        first, second = getattr(one, name), getattr(other, name)
        return None if first is None else np.concatenate([first, second])

    columns = {name: join_column(name) for name in ("users", "items", "ratings", "timestamps")}
    return replace(one, **columns)  # type: ignore[arg-type]


def encode_distinct_pairs(users: IntArray, items: IntArray, n_items: int) -> NDArray[np.int64]:
    """Return user * n_items + item of every pair, sorted, without repetition."""
    pairs = users.astype(np.int64)
    pairs *= n_items
    pairs += items
    pairs.sort()
    is_new = np.ones(len(pairs), bool)
    np.not_equal(pairs[1:], pairs[:-1], out=is_new[1:])
    return pairs if is_new.all() else pairs[is_new]

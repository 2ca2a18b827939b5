"""Times for the pairs of the released MovieLens-1M split, from the archive that it was made of.

The released files number users as the archive does, from 0, and films by their first appearance in
it. So an archive that was cut off after some user still tells the times of all users before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import UNKNOWN_TIME, IntArray, Interactions
from src.errors import UserError

Pairs = tuple[IntArray, IntArray]
"""Users [n] and items [n]."""


def match_times(archive: Interactions, train: Pairs, test: Pairs) -> NDArray[np.int64]:
    """Return the time of each training pair, `UNKNOWN_TIME` for users whom the archive has not.

    archive: its ratings in file order, films numbered by first appearance. Raises UserError unless
    every user of the archive has the very same pairs in training and test together.
    """
    if archive.timestamps is None or archive.user_ids.dtype.kind not in "iu":
        raise UserError("data.times: no MovieLens-1M, whose users are numbers and have times")
    n_items = 1 + max(int(part[1].max()) for part in (train, test))
    n_items = max(n_items, archive.n_items)
    users = archive.user_ids[archive.users].astype(np.int64) - 1
    keys = users * n_items + archive.items
    order = np.argsort(keys, kind="stable")
    keys, times = keys[order], archive.timestamps[order]
    _check_pairs(keys, n_items, train, test)
    wanted = train[0].astype(np.int64) * n_items + train[1]
    places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[places] == wanted, times[places], UNKNOWN_TIME)


def _check_pairs(keys: NDArray[np.int64], n_items: int, train: Pairs, test: Pairs) -> None:
    """Raise UserError for the first user of the archive whose pairs differ from the split's."""
    users, items = (
        np.concatenate([one, other]).astype(np.int64)
        for one, other in zip(train, test, strict=True)
    )
    own = np.unique(users * n_items + items)
    known = np.isin(own // n_items, np.unique(keys // n_items))
    different = np.setxor1d(own[known], keys)
    if len(different):
        raise UserError(
            f"data.times: user {1 + int(different[0] // n_items)} of this archive has other films "
            "than in the released split, so it is not the MovieLens-1M that that was made of"
        )

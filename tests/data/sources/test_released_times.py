"""Times of the released split, from an archive that may end after some user."""

from __future__ import annotations

import numpy as np
import pytest

from src.data.interactions import UNKNOWN_TIME, Interactions
from src.data.sources.released_times import Pairs, match_times
from src.errors import UserError

# user 1 rated films 70, 50; user 2 rated 50, 90: they are called 0, 1 and 1, 2
ARCHIVE = Interactions(
    users=np.array([0, 0, 1, 1], np.int32),
    items=np.array([0, 1, 1, 2], np.int32),
    user_ids=np.array([1, 2]),
    item_ids=np.array([70, 50, 90]),
    timestamps=np.array([500, 400, 300, 200]),
)


def pairs(*rows: tuple[int, int]) -> Pairs:
    users, items = np.array(rows, np.int32).T
    return users, items


def test_users_of_the_archive_have_times() -> None:
    train = pairs((1, 2), (0, 1), (2, 0), (2, 5))
    times = match_times(ARCHIVE, train, pairs((0, 0), (1, 1), (2, 3)))
    assert times.tolist() == [200, 400, UNKNOWN_TIME, UNKNOWN_TIME]


def test_another_archive_is_refused() -> None:
    with pytest.raises(UserError, match=r"^data.times: user 2 of this archive has other films"):
        match_times(ARCHIVE, pairs((1, 0), (0, 1)), pairs((0, 0), (1, 1)))
    with pytest.raises(UserError, match=r"^data.times: user 1 of this archive has other films"):
        match_times(ARCHIVE, pairs((1, 2)), pairs((0, 0), (1, 1)))

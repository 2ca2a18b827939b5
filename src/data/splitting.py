"""Splitting interactions into training, validation and test parts over one id space."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import IntArray, Interactions, concatenate
from src.data.slices import ItemsByUser
from src.errors import UserError

log = logging.getLogger(__name__)


# What to do without times
WITHOUT_TIMES = "take protocol=leave-one-out, or name times, for ncf-ml-1m by data.times=FOLDER"


@dataclass(frozen=True)
class Split:
    """Three parts of one data set; every user of validation and test is in train."""

    train: Interactions
    validation: Interactions
    """Empty where the protocol has no validation part."""
    test: Interactions

    def items_by_user(self) -> ItemsByUser:
        """Return each user's items in any part."""
        return ItemsByUser.of((self.train, self.validation, self.test))

    def merged(self) -> Split:
        """Return the split with validation given to training."""
        nothing = self.validation.take(np.zeros(len(self.validation), bool))
        return Split(concatenate(self.train, self.validation), nothing, self.test)


def leave_one_out(data: Interactions, validation: bool, seed: int) -> Split:
    """Hold out each user's latest interaction for test, the one before for validation.

    He et al. 2017, section 4.1. Of equal timestamps the one later in the file counts as later.
    Without timestamps the order is random, fixed by `seed`. Users with too few interactions to
    leave one in training stay in training.
    """
    from_end, counts = _count_places_from_end(data, seed)
    needed = 2 + validation
    eligible = counts[data.users] >= needed
    test = eligible & (from_end == 0)
    held = eligible & (from_end == 1) if validation else np.zeros(len(data), bool)
    return _split_by_masks(data, held, test)


def hold_out_validation(
    train: Interactions, test: Interactions, seed: int, *, latest: bool = False
) -> Split:
    """Take one training interaction of each test user for validation, where test is given.

    This is the latest by timestamp, or without timestamps a random one, as in the paper
    (section 4.1). Users with a single training interaction keep it. `latest`: users without times
    keep all of theirs; where it is not asked for, times that only some users have decide nothing.
    Raises UserError when the latest is asked for and nobody has times.
    """
    timed = train.timed_users()
    if latest and not timed.any():
        raise UserError(f"data.latest=true: nobody has times here; {WITHOUT_TIMES}")
    if latest or timed[train.users].all():
        from_end, counts = _count_places_from_end(train, seed)
    else:
        from_end, counts = _draw_random_places(train, seed)
    tested = np.zeros(train.n_users, bool)
    tested[test.users] = True
    if latest:
        tested &= timed
    held = (tested & (counts >= 2))[train.users] & (from_end == 0)
    return Split(train.take(~held), train.take(held), test)


def split_by_ratio(
    data: Interactions, test_ratio: float, validation_ratio: float, seed: int
) -> Split:
    """Hold out a random share of each user's rows, rounded down: training is never empty."""
    places, counts = _draw_random_places(data, seed)
    n_test = np.floor(counts * test_ratio)[data.users]
    n_held = np.floor(counts * validation_ratio)[data.users]
    test = places < n_test
    held = ~test & (places < n_test + n_held)
    return _split_by_masks(data, held, test)


def split_by_global_time(data: Interactions, test_ratio: float, validation_ratio: float) -> Split:
    """Cut the whole data set at two points in time: the latest share is test, as in production.

    Interactions at one instant are never separated: they go to the earlier part. Held-out
    interactions of users who have none in training are dropped, and the log says how many.
    """
    if data.timestamps is None:
        raise UserError("data.split=global-time needs timestamps, and this data has none")
    times = np.sort(data.timestamps, kind="stable")
    n_train = int(len(data) * (1 - test_ratio - validation_ratio))
    n_before_test = int(len(data) * (1 - test_ratio))
    train_end, validation_end = times[max(n_train - 1, 0)], times[max(n_before_test - 1, 0)]
    in_train = data.timestamps <= train_end
    known = np.zeros(data.n_users, bool)
    known[data.users[in_train]] = True
    late = ~in_train
    dropped = late & ~known[data.users]
    if dropped.any():
        log.info(
            "%d late interactions of %d users without training interactions were dropped",
            int(dropped.sum()),
            int((np.bincount(data.users[dropped]) > 0).sum()),
        )
    late &= ~dropped
    test = late & (data.timestamps > validation_end)
    return Split(data.take(in_train), data.take(late & ~test), data.take(test))


def describe_split(split: Split, way: str, given: Collection[str]) -> str:
    """Describe how the parts came about, for people: "split by time".

    `way`: data.split; `given`: the parts, "val" and "test", that the source brought itself.
    """
    timeless = split.train.timestamps is None
    how = "at random, no times" if timeless else "by time"
    if "test" in given:
        drawn = len(split.validation) and "val" not in given
        return (
            f"split as given, validation {_say_how_drawn(split, how)}"
            if drawn
            else "split as given"
        )
    return "split at random" if way == "ratio" and not timeless else f"split {how}"


def _say_how_drawn(split: Split, how: str) -> str:
    """Return how validation was taken from training, where perhaps only some users have times."""
    timed = split.train.timed_users()
    if split.train.timestamps is None or timed[split.train.users].all():
        return how
    latest = timed[split.validation.users].all() and timed.any()
    return f"by time, of {len(split.validation):,} users" if latest else "at random"


def _split_by_masks(data: Interactions, held: NDArray[np.bool_], test: NDArray[np.bool_]) -> Split:
    return Split(data.take(~(held | test)), data.take(held), data.take(test))


def _count_places_from_end(data: Interactions, seed: int) -> tuple[IntArray, IntArray]:
    """Return each interaction's place, counted from its user's latest (0), and counts by user."""
    if data.timestamps is None:
        return _draw_random_places(data, seed)
    return _number_places(data, _sort_by_user_and_time(data.users, data.timestamps)[::-1])


def _draw_random_places(data: Interactions, seed: int) -> tuple[IntArray, IntArray]:
    key = np.random.default_rng(seed).random(len(data))
    return _number_places(data, np.lexsort((key, data.users))[::-1])


def _sort_by_user_and_time(users: IntArray, timestamps: IntArray) -> IntArray:
    """Sort positions by user, then by time; of equal timestamps the later line comes last."""
    first, last = int(timestamps.min(initial=0)), int(timestamps.max(initial=0))
    span = last - first + 1
    if (int(users.max(initial=0)) + 1) * span >= 2**63:
        return np.lexsort((timestamps, users))
    # one stable sort of one key: twice as fast, and next to nothing where the file is in order
    key = users.astype(np.int64)
    key *= span
    key += timestamps - first
    return np.argsort(key, kind="stable")


def _number_places(data: Interactions, order: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Number the places within each user; `order` has positions by user, descending, 0 first."""
    counts = np.bincount(data.users, minlength=data.n_users)
    # users descend in `order`, so a user's run starts after the runs of all larger ids
    first = len(data) - counts.cumsum()
    place = np.arange(len(data))
    place -= first[data.users[order]]
    places = np.empty_like(place)
    places[order] = place
    return places, counts

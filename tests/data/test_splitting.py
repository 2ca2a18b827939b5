from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.interactions import UNKNOWN_TIME, Interactions
from src.data.splitting import (
    Split,
    describe_split,
    hold_out_validation,
    leave_one_out,
    split_by_global_time,
    split_by_ratio,
)
from src.errors import UserError
from tests.data import fakes

NEVER = UNKNOWN_TIME


def interactions(users: list[int], times: list[int] | None = None) -> Interactions:
    """Return a row for each user listed; its item is its number, so that it can be recognized."""
    return Interactions(
        np.array(users, np.int32),
        np.arange(len(users), dtype=np.int32),
        np.arange(1 + max(users)),
        np.arange(len(users)),
        timestamps=None if times is None else np.array(times, np.int64),
    )


def rows(split: Split) -> tuple[list[int], list[int], list[int]]:
    """Return the row numbers in training, validation and test."""
    return split.train.items.tolist(), split.validation.items.tolist(), split.test.items.tolist()


user_lists = st.lists(st.integers(0, 5), min_size=1, max_size=40)


@st.composite
def timed(draw: st.DrawFn) -> Interactions:
    """Draw a few users at a few instants, so that there are many ties."""
    users = draw(user_lists)
    times = draw(st.lists(st.integers(0, 6), min_size=len(users), max_size=len(users)))
    return interactions(users, times)


def assert_whole(split: Split, data: Interactions) -> None:
    """Check that each row is in one part, in file order, and that held-out users are trained."""
    assert sorted(chain(*rows(split))) == list(range(len(data)))
    assert all(part == sorted(part) for part in rows(split))
    assert_users_are_trained(split)


def assert_users_are_trained(split: Split) -> None:
    held_out = {*split.validation.users.tolist(), *split.test.users.tolist()}
    assert held_out <= set(split.train.users.tolist())
    for part in (split.validation, split.test):
        assert (part.n_users, part.n_items) == (split.train.n_users, split.train.n_items)


# leave-one-out


def test_the_latest_is_test_and_the_one_before_it_validation() -> None:
    data = interactions([0, 1, 0, 1, 0, 1], times=[5, 1, 9, 2, 7, 3])
    assert rows(leave_one_out(data, validation=True, seed=0)) == ([0, 1], [3, 4], [2, 5])


def test_of_equal_times_the_later_line_is_later() -> None:
    data = interactions([0, 0, 0, 0, 0], times=[7, 9, 9, 3, 9])
    assert rows(leave_one_out(data, validation=True, seed=0)) == ([0, 1, 3], [2], [4])


def test_without_validation_only_the_latest_is_held_out() -> None:
    data = interactions([0, 0, 0, 0], times=[2, 4, 4, 1])
    assert rows(leave_one_out(data, validation=False, seed=0)) == ([0, 1, 3], [], [2])


@pytest.mark.parametrize(
    ("validation", "expected"),
    [(True, ([0, 1, 2, 3], [4], [5])), (False, ([0, 1, 3, 4], [], [2, 5]))],
)
def test_users_with_too_few_interactions_stay_in_training(
    validation: bool, expected: tuple[list[int], list[int], list[int]]
) -> None:
    data = interactions([0, 1, 1, 2, 2, 2], times=[1, 2, 3, 4, 5, 6])  # one, two and three
    assert rows(leave_one_out(data, validation, seed=0)) == expected


def test_a_user_id_without_interactions_is_no_trouble() -> None:
    data = interactions([3, 1, 3, 1], times=[1, 1, 2, 2])
    assert rows(leave_one_out(data, validation=False, seed=0)) == ([0, 1], [], [2, 3])


def test_without_times_the_choice_is_random_and_fixed_by_the_seed() -> None:
    data = interactions([0, 1, 2] * 30)
    first = rows(leave_one_out(data, validation=True, seed=1))
    assert rows(leave_one_out(data, validation=True, seed=1)) == first
    assert rows(leave_one_out(data, validation=True, seed=2)) != first
    assert [len(part) for part in first] == [84, 3, 3]


def test_without_times_each_row_is_as_likely_as_another() -> None:
    data = interactions([0] * 4)
    tests = [rows(leave_one_out(data, validation=True, seed=seed))[2][0] for seed in range(400)]
    assert all(60 < count < 140 for count in np.bincount(tests, minlength=4))


def test_with_times_the_seed_does_not_matter() -> None:
    data = interactions([0, 0, 0, 1, 1, 1], times=[1, 1, 1, 2, 2, 2])
    assert rows(leave_one_out(data, True, seed=1)) == rows(leave_one_out(data, True, seed=2))


@given(st.one_of(timed(), user_lists.map(interactions)), st.booleans())
def test_leave_one_out_is_whole(data: Interactions, validation: bool) -> None:
    split = leave_one_out(data, validation, seed=0)
    assert_whole(split, data)
    eligible = np.flatnonzero(np.bincount(data.users) >= 2 + validation).tolist()
    assert sorted(split.test.users.tolist()) == eligible
    assert sorted(split.validation.users.tolist()) == (eligible if validation else [])


@given(timed(), st.booleans())
def test_leave_one_out_never_trains_on_what_came_later(
    data: Interactions, validation: bool
) -> None:
    split = leave_one_out(data, validation, seed=0)
    assert data.timestamps is not None
    place = list(zip(data.timestamps.tolist(), range(len(data)), strict=True))
    for test in split.test.items.tolist():
        own = [row for row in range(len(data)) if data.users[row] == data.users[test]]
        assert place[test] == max(place[row] for row in own)
        if validation:
            (held,) = set(own) & set(split.validation.items.tolist())
            assert place[held] == max(place[row] for row in own if row != test)


# validation for a released split


def test_hold_out_takes_the_latest_training_row_of_each_test_user() -> None:
    train = interactions([0, 0, 0, 1, 1, 2], times=[1, 8, 8, 5, 4, 9])
    test = train.take(np.array([0, 5]))  # users 0 and 2
    split = hold_out_validation(train, test, seed=0)
    # user 1 is not tested, and user 2 keeps its only training row
    assert rows(split) == ([0, 1, 3, 4, 5], [2], [0, 5])


def test_hold_out_without_times_is_random_and_fixed_by_the_seed() -> None:
    train = interactions([0, 1, 2] * 20)
    test = train.take(np.array([0, 1, 2]))
    first = rows(hold_out_validation(train, test, seed=1))
    assert [len(part) for part in first] == [57, 3, 3]
    assert rows(hold_out_validation(train, test, seed=1)) == first
    assert rows(hold_out_validation(train, test, seed=2)) != first


def some_timed() -> Interactions:
    """Users 0 and 1 have times, user 2 has none, user 3 only some."""
    return interactions([0, 0, 1, 1, 2, 2, 3, 3], [5, 3, 1, 2, NEVER, NEVER, 9, NEVER])


def test_the_latest_is_taken_of_users_with_times_alone() -> None:
    train = some_timed()
    test = train.take(np.array([0, 2, 4, 6]))
    split = hold_out_validation(train, test, seed=0, latest=True)
    assert rows(split)[:2] == ([1, 2, 4, 5, 6, 7], [0, 3])
    assert describe_split(split, "leave-one-out", {"test"}) == (
        "split as given, validation by time, of 2 users"
    )


def test_times_of_some_users_decide_nothing_by_themselves() -> None:
    train = some_timed()
    test = train.take(np.array([0, 2, 4, 6]))
    timeless = replace(train, timestamps=None)
    split, without = (hold_out_validation(one, test, seed=3) for one in (train, timeless))
    assert rows(split) == rows(without)
    described = describe_split(split, "leave-one-out", {"test"})
    assert described == "split as given, validation at random"


def test_the_latest_needs_times() -> None:
    train = interactions([0, 0])
    with pytest.raises(UserError, match=r"^data.latest=true: nobody has times here; take protocol"):
        hold_out_validation(train, train, seed=0, latest=True)


@given(st.one_of(timed(), user_lists.map(interactions)), st.sets(st.integers(0, 5)))
def test_hold_out_is_whole(train: Interactions, tested: set[int]) -> None:
    test = train.take(np.array([user in tested for user in train.users.tolist()], bool))
    split = hold_out_validation(train, test, seed=0)
    kept, held, _ = rows(split)
    assert split.test is test
    assert sorted(kept + held) == list(range(len(train)))
    assert set(train.users.tolist()) == set(split.train.users.tolist())
    heavy = np.flatnonzero(np.bincount(train.users) >= 2).tolist()
    assert sorted(split.validation.users.tolist()) == sorted(tested & set(heavy))


# ratio


def test_ratio_takes_a_share_of_each_user_rounded_down() -> None:
    data = interactions([0] * 10 + [1] * 19 + [2] * 4)
    split = split_by_ratio(data, test_ratio=0.2, validation_ratio=0.1, seed=0)
    assert np.bincount(split.test.users, minlength=3).tolist() == [2, 3, 0]
    assert np.bincount(split.validation.users, minlength=3).tolist() == [1, 1, 0]
    assert np.bincount(split.train.users, minlength=3).tolist() == [7, 15, 4]


def test_ratio_is_fixed_by_the_seed() -> None:
    data = interactions([0, 1] * 20)
    first = rows(split_by_ratio(data, 0.2, 0.1, seed=1))
    assert rows(split_by_ratio(data, 0.2, 0.1, seed=1)) == first
    assert rows(split_by_ratio(data, 0.2, 0.1, seed=2)) != first


@given(user_lists, st.floats(0.01, 0.6), st.floats(0, 0.39))
def test_ratio_is_whole(users: list[int], test_ratio: float, validation_ratio: float) -> None:
    data = interactions(users)
    split = split_by_ratio(data, test_ratio, validation_ratio, seed=0)
    assert_whole(split, data)
    if validation_ratio == 0:
        assert not len(split.validation)


# global time


def test_global_time_cuts_at_two_points() -> None:
    data = interactions([0, 1] * 5, times=[10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    split = split_by_global_time(data, test_ratio=0.2, validation_ratio=0.1)
    assert rows(split) == ([3, 4, 5, 6, 7, 8, 9], [2], [0, 1])


def test_global_time_does_not_tear_an_instant_apart() -> None:
    data = interactions([0] * 10, times=[1, 2, 3, 4, 5, 5, 5, 8, 8, 9])
    split = split_by_global_time(data, test_ratio=0.2, validation_ratio=0.3)
    # the cuts fall inside the fives and the eights, which go to the earlier part
    assert rows(split) == ([0, 1, 2, 3, 4, 5, 6], [7, 8], [9])


def test_global_time_drops_held_out_users_who_are_not_in_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = interactions([0, 0, 0, 0, 0, 0, 0, 1, 0, 1], times=list(range(10)))
    with caplog.at_level("INFO"):
        split = split_by_global_time(data, test_ratio=0.2, validation_ratio=0.1)
    assert rows(split) == ([0, 1, 2, 3, 4, 5, 6], [], [8])
    assert "2 late interactions of 1 users without training" in caplog.text


@given(timed(), st.floats(0.01, 0.6), st.floats(0, 0.39))
def test_global_time_has_no_leak(
    data: Interactions, test_ratio: float, validation_ratio: float
) -> None:
    split = split_by_global_time(data, test_ratio, validation_ratio)
    assert_users_are_trained(split)
    assert data.timestamps is not None
    train, held, test = ({int(data.timestamps[row]) for row in part} for part in rows(split))
    assert max(train) < min(held | test, default=99)
    assert max(train | held) < min(test, default=99)
    everything = list(chain(*rows(split)))
    assert len(set(everything)) == len(everything)
    trained = set(split.train.users.tolist())
    dropped = set(range(len(data))) - set(everything)
    assert not {int(data.users[row]) for row in dropped} & trained
    if validation_ratio == 0:
        assert not held


def test_global_time_needs_times() -> None:
    with pytest.raises(UserError, match="needs timestamps"):
        split_by_global_time(interactions([0, 0]), 0.1, 0.1)


def test_validation_can_be_given_back_to_training() -> None:
    data = fakes.interactions([[0, 1, 2], [3, 4, 5]], 6, [[1, 2, 3], [6, 5, 4]])
    split = leave_one_out(data, validation=True, seed=0)
    merged = split.merged()
    assert merged.train.items.tolist() == [0, 5, 1, 4]
    assert merged.train.users.tolist() == [0, 1, 0, 1]
    assert merged.train.timestamps is not None
    assert merged.train.timestamps.tolist() == [1, 4, 2, 5]
    assert len(merged.validation) == 0
    assert merged.test is split.test

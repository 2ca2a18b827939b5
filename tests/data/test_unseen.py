from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from src.data.interactions import Interactions
from src.data.unseen import (
    Unseen,
    UnseenItems,
    UnseenLists,
    index_unseen,
    popularity_mass,
)
from src.data.unseen_bits import UnseenBits, UnseenFolds

Index = Callable[[list[set[int]], int], Unseen]


def data_of(seen: list[set[int]], n_items: int, repeats: int = 1) -> Interactions:
    """Return users 0, 1, ... with the items they have seen, listed from last to first."""
    pairs = [(user, item) for user, items in enumerate(seen) for item in items] * repeats
    return Interactions(
        users=np.array([user for user, _ in reversed(pairs)], np.int32),
        items=np.array([item for _, item in reversed(pairs)], np.int32),
        user_ids=np.arange(len(seen)),
        item_ids=np.arange(n_items),
    )


def unseen_of(
    seen: list[set[int]], n_items: int, mass: list[int] | None = None, repeats: int = 1
) -> UnseenItems:
    masses = None if mass is None else np.array(mass)
    return UnseenItems(data_of(seen, n_items, repeats), masses)


def lists_of(seen: list[set[int]], n_items: int) -> UnseenLists:
    return UnseenLists(data_of(seen, n_items))


def bits_of(seen: list[set[int]], n_items: int) -> UnseenBits:
    return UnseenBits(data_of(seen, n_items))


def folds_of(seen: list[set[int]], n_items: int) -> UnseenFolds:
    return UnseenFolds(data_of(seen, n_items))


every = pytest.mark.parametrize("index", [unseen_of, lists_of, bits_of, folds_of])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_close(drawn: Tensor, expected: dict[int, float]) -> None:
    """Check that each share is within five standard errors of its expectation."""
    counts, n = Counter(drawn.flatten().tolist()), drawn.numel()
    assert set(counts) <= set(expected)
    for item, share in expected.items():
        assert abs(counts[item] / n - share) <= 5 * (share * (1 - share) / n) ** 0.5 + 1e-6


@st.composite
def seen_sets(draw: st.DrawFn) -> tuple[list[set[int]], int]:
    """Draw what each user has seen, from nothing to everything, and the number of items."""
    n_items = draw(st.integers(1, 7))
    masks = draw(st.lists(st.integers(0, 2**n_items - 1), min_size=1, max_size=5))
    return [{item for item in range(n_items) if mask >> item & 1} for mask in masks], n_items


def test_the_points_of_a_user_are_its_unseen_items_in_order() -> None:
    unseen = unseen_of([{1, 3}, set(), {0, 1, 2, 4}, {0, 1, 2, 3, 4}], n_items=5)
    assert unseen.mass.tolist() == [3, 5, 1, 0]
    users = torch.tensor([0, 1, 2])
    points = torch.tensor([[0, 1, 2], [0, 2, 4], [0, 0, 0]])
    assert unseen.find_items_at(users, points).tolist() == [[0, 2, 4], [0, 2, 4], [3, 3, 3]]


def test_an_item_of_mass_two_has_two_points() -> None:
    unseen = unseen_of([{0, 2}, {1}], n_items=4, mass=[5, 2, 9, 1])
    assert unseen.mass.tolist() == [3, 15]
    assert unseen.find_items_at(torch.tensor([0]), torch.arange(3)[None]).tolist() == [[1, 1, 3]]
    assert unseen.find_items_at(torch.tensor([1]), torch.tensor([[4, 5, 13, 14]])).tolist() == [
        [0, 2, 2, 3]
    ]


@given(seen_sets(), st.integers(1, 3))
def test_points_map_one_to_one_onto_the_complement(
    case: tuple[list[set[int]], int], repeats: int
) -> None:
    seen, n_items = case
    unseen = unseen_of(seen, n_items, repeats=repeats)
    for user, items in enumerate(seen):
        complement = sorted(set(range(n_items)) - items)
        points = torch.arange(int(unseen.mass[user]))[None]
        assert unseen.find_items_at(torch.tensor([user]), points).tolist() == [complement]


@given(seen_sets(), st.lists(st.integers(1, 5), min_size=7, max_size=7), st.integers(1, 3))
def test_each_unseen_item_has_as_many_points_as_its_mass(
    case: tuple[list[set[int]], int], mass: list[int], repeats: int
) -> None:
    seen, n_items = case
    unseen = unseen_of(seen, n_items, mass[:n_items], repeats)
    for user, items in enumerate(seen):
        expected = {item: mass[item] for item in range(n_items) if item not in items}
        points = torch.arange(int(unseen.mass[user]))[None]
        assert Counter(unseen.find_items_at(torch.tensor([user]), points)[0].tolist()) == expected


@pytest.mark.parametrize(
    "index",
    [
        unseen_of,
        lists_of,
        bits_of,
        folds_of,
        partial(unseen_of, mass=[2**31, 1, 2**31, 1, 2**30, 1]),
    ],
)
def test_a_user_with_all_but_one_item_only_gets_that_one(index: Index) -> None:
    everything = set(range(6))
    unseen = index([everything - {item} for item in range(6)], 6)
    drawn = unseen.draw(torch.arange(6), 200, generator())
    assert (drawn == torch.arange(6)[:, None]).all()


@given(seen_sets(), st.booleans(), st.integers(0, 99))
def test_draws_are_never_seen(
    case: tuple[list[set[int]], int], by_popularity: bool, seed: int
) -> None:
    seen, n_items = case
    counted = np.array([item for items in seen for item in items], np.int32)
    weights = popularity_mass(counted, n_items, 1.0) if by_popularity and len(counted) else None
    unseen = index_unseen(data_of(seen, n_items), weights)
    users = [user for user in range(len(seen)) if len(seen[user]) < n_items]
    drawn = unseen.draw(torch.tensor(users, dtype=torch.long), 20, generator(seed))
    assert drawn.shape == (len(users), 20)
    for user, items in zip(users, drawn.tolist(), strict=True):
        assert set(items) <= set(range(n_items)) - seen[user]


@pytest.mark.parametrize("index", [unseen_of, lists_of])
def test_a_uniform_number_that_rounds_up_to_one_falls_on_the_last_item(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.ones(1, 1, dtype=torch.float64))
    assert index([{0, 4}], 5).draw(torch.tensor([0]), 1, generator()).tolist() == [[3]]


@every
def test_uniform_draws_are_equally_frequent(index: Index) -> None:
    unseen = index([{0, 2, 3}, set()], 8)
    drawn = unseen.draw(torch.tensor([0, 1]), 40_000, generator())
    assert_close(drawn[0], dict.fromkeys([1, 4, 5, 6, 7], 1 / 5))
    assert_close(drawn[1], dict.fromkeys(range(8), 1 / 8))


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0.5, {1: 2 / 3, 2: 1 / 3, 3: 0}), (1.0, {1: 4 / 5, 2: 1 / 5, 3: 0})],
)
def test_draws_follow_popularity_to_a_power(power: float, expected: dict[int, float]) -> None:
    counts = [16, 4, 1, 0]
    mass = popularity_mass(np.arange(4).repeat(counts), 4, power)
    assert mass is not None
    unseen = unseen_of([{0}], 4, mass.tolist())
    assert_close(unseen.draw(torch.tensor([0]), 40_000, generator()), expected)


def test_popularity_mass() -> None:
    items = np.array([0, 1, 0, 0])
    assert popularity_mass(items, 3, 0.0) is None
    mass = popularity_mass(items, 3, 1.0)
    assert mass is not None
    assert mass.tolist() == [3 * 2**29, 2**29, 1]  # an item that nobody has can still be drawn


@given(seen_sets(), st.data(), st.integers(0, 99))
def test_distinct_draws_are_distinct_and_unseen(
    case: tuple[list[set[int]], int], data: st.DataObject, seed: int
) -> None:
    seen, n_items = case
    k = data.draw(st.integers(0, n_items))
    users = [user for user in range(len(seen)) if n_items - len(seen[user]) >= k]
    drawn = unseen_of(seen, n_items).draw_distinct(
        torch.tensor(users, dtype=torch.long), k, generator(seed)
    )
    assert drawn.shape == (len(users), k)
    for user, items in zip(users, drawn.tolist(), strict=True):
        complement = set(range(n_items)) - seen[user]
        assert len(set(items)) == k
        assert set(items) <= complement
        if len(complement) == k:
            assert set(items) == complement


@pytest.mark.parametrize("k", [1, 2, 3])
def test_each_set_of_distinct_draws_is_equally_likely(k: int) -> None:
    unseen = unseen_of([{1, 4}], 6)
    drawn = unseen.draw_distinct(torch.zeros(20_000, dtype=torch.long), k, generator())
    subsets = list(combinations([0, 2, 3, 5], k))
    number = {subset: place for place, subset in enumerate(subsets)}
    found = torch.tensor([number[tuple(sorted(row))] for row in drawn.tolist()])
    assert_close(found, {place: 1 / len(subsets) for place in number.values()})


@pytest.mark.parametrize("seed", [0, 7])
def test_draws_depend_on_the_generator_only(seed: int) -> None:
    seen = [{0}, {1, 2}]
    users = torch.tensor([1, 0, 1])
    unseen = unseen_of(seen, 9)
    for draw in (unseen.draw, unseen.draw_distinct, lists_of(seen, 9).draw):
        first = draw(users, 5, generator(seed))
        torch.manual_seed(seed + 1)
        assert torch.equal(draw(users, 5, generator(seed)), first)


@given(seen_sets())
def test_lists_hold_the_complements(case: tuple[list[set[int]], int]) -> None:
    seen, n_items = case
    lists = lists_of(seen, n_items)
    complements = [sorted(set(range(n_items)) - items) for items in seen]
    assert lists.items.tolist() == [item for items in complements for item in items]
    assert lists.mass.tolist() == [len(items) for items in complements]
    assert lists.first.tolist() == [sum(map(len, complements[:user])) for user in range(len(seen))]


def test_lists_of_a_large_catalogue_hold_its_last_item() -> None:
    lists = lists_of([set(range(40_000)) - {39_999}], 40_000)
    assert lists.draw(torch.tensor([0]), 2, generator()).tolist() == [[39_999, 39_999]]


@pytest.mark.parametrize("compiled", [True, False])
def test_users_are_listed_or_marked_only_where_that_is_small(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    four, five = data_of([{0}, {1}], 4), data_of([{0}, {1}], 5)
    monkeypatch.setattr("src.data.unseen.LISTED_PAIRS", 8)
    monkeypatch.setattr("src.data.unseen.MARKED_PAIRS", 8)
    monkeypatch.setattr("src.data.unseen.is_available", lambda: compiled)
    assert isinstance(index_unseen(four), UnseenBits if compiled else UnseenLists)
    assert isinstance(index_unseen(five), UnseenFolds if compiled else UnseenItems)
    assert isinstance(index_unseen(four, np.ones(4, np.int64)), UnseenItems)


def test_a_rare_unseen_item_is_counted_off() -> None:
    # two of 200 items are unseen, in the second and the last of four words, and at a word's ends
    seen = [set(range(200)) - {64, 199}, set(range(200)) - {127, 63}]
    drawn = bits_of(seen, 200).draw(torch.tensor([0, 1]), 1000, generator())
    assert_close(drawn[0], {64: 0.5, 199: 0.5})
    assert_close(drawn[1], {63: 0.5, 127: 0.5})


def test_a_rare_unseen_item_of_folded_bits_is_counted_off() -> None:
    seen = [set(range(200)) - {0, 64, 199}, {5, 7}, set(range(200)) - {127, 63}]
    drawn = folds_of(seen, 200).draw(torch.tensor([0, 2]), 1000, generator())
    assert_close(drawn[0], {0: 1 / 3, 64: 1 / 3, 199: 1 / 3})
    assert_close(drawn[1], {63: 0.5, 127: 0.5})


def test_items_that_share_a_folded_bit_are_told_apart() -> None:
    # one word a user: items 1, 65 and 129 share its second bit
    seen = [{1}, {65, 129}]
    folds = folds_of(seen, 130)
    assert folds.folds.tolist() == [2, 2]
    drawn = folds.draw(torch.tensor([0, 1]), 20_000, generator())
    for user in (0, 1):
        assert_close(
            drawn[user], {i: 1 / (130 - len(seen[user])) for i in range(130) if i not in seen[user]}
        )

"""Which users and items a picture shows where there are too many, and their part of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from src.data.interactions import IntArray, Interactions

# More nodes in a column would make a tangle of edges
Nodes = Annotated[int, Ge(1), Le(20)]

LONGEST_NAME = 22


def choose_nodes(data: Interactions, n_users: int, n_items: int) -> tuple[IntArray, IntArray]:
    """Return the users and items to be shown, from top to bottom: all of them, or a sample.

    A sample is of users at equal steps from the most to the least active, and of their items from
    those that most of them share to those of a single one, at growing steps, because what many
    share is rare. So hardly any node is without an edge.
    """
    if data.n_users <= n_users and data.n_items <= n_items:
        return np.arange(data.n_users), np.arange(data.n_items)
    activity = np.bincount(data.users, minlength=data.n_users)
    by_activity = np.argsort(-activity, kind="stable")
    n_users = min(n_users, data.n_users)
    users = by_activity[np.linspace(0, data.n_users - 1, n_users).round().astype(int)]

    shared = np.bincount(data.items[np.isin(data.users, users)], minlength=data.n_items)
    popularity = np.bincount(data.items, minlength=data.n_items)
    n_shared = int(np.count_nonzero(shared))
    by_shared = np.lexsort((-popularity, -shared))[:n_shared]
    n_items = min(n_items, n_shared)
    places = np.geomspace(1, n_shared, n_items).round().astype(int) - 1
    # the first steps are of less than one place
    first = np.arange(n_items)
    items = by_shared[np.maximum.accumulate(places - first) + first]
    return users, items[np.argsort(-popularity[items], kind="stable")]


def select_between(data: Interactions, users: IntArray, items: IntArray) -> Interactions:
    """Return the interactions of these users with these items, over the same id space."""
    return data.take(np.isin(data.users, users) & np.isin(data.items, items))


def renumber(data: Interactions, users: IntArray, items: IntArray) -> Interactions:
    """Return the interactions of these users with these items, numbered in their order from 0."""
    part = select_between(data, users, items)
    new_user, new_item = np.zeros(data.n_users, np.int32), np.zeros(data.n_items, np.int32)
    new_user[users], new_item[items] = np.arange(len(users)), np.arange(len(items))
    return replace(
        part,
        users=new_user[part.users],
        items=new_item[part.items],
        user_ids=data.user_ids[users],
        item_ids=data.item_ids[items],
    )


def describe_nodes(name: str, data: Interactions, part: Interactions, n: tuple[int, int]) -> str:
    """Return a title's first line: how many of the users, items and interactions are shown.

    `n` are the numbers of users and of items in `part` of `data`, called `name`.
    """
    n_users, n_items = n
    if n == (data.n_users, data.n_items):
        return f"{name}: {n_users} users and {n_items} items with {len(data)} interactions"
    return (
        f"{name}: {n_users} of {data.n_users:,} users, {n_items} of {data.n_items:,} items, "
        f"{len(part)} of {len(data):,} interactions"
    )


def shorten(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a name off where it is longer than that."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"

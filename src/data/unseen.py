"""The items a user has not interacted with, found by order statistics instead of rejection."""

from __future__ import annotations

import torch
from torch import Tensor


class UnseenItems:
    """Each user's complement set, laid out on a line so that a random point is a random item.

    Give every item a mass (1, or its sampling weight) and put a user's unseen items side by side
    in order of id: a point in [0, mass[user]) then falls on exactly one of them. Where it falls
    takes one binary search among the user's own interactions, so memory grows with interactions
    and no draw is ever rejected, however heavy the user.

    Masses are integers because the layout must be exact: a rounding error would turn a positive
    into a negative.
    """

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        n_users: int,
        n_items: int,
        item_mass: Tensor | None = None,
    ) -> None:
        """Index interactions `users` [n], `items` [n] (any order, repeats allowed).

        `item_mass`: int64 [n_items], positive; None gives every item mass 1.
        """
        device = users.device
        pairs = torch.unique(users.long() * n_items + items.long())
        users, items = pairs // n_items, pairs % n_items
        self.n_items = n_items
        self.first = torch.zeros(n_users + 1, dtype=torch.long, device=device)
        self.first[1:] = torch.bincount(users, minlength=n_users).cumsum(0)

        mass = torch.ones(n_items, dtype=torch.long, device=device)
        self.uniform = item_mass is None
        if item_mass is not None:
            mass = item_mass.to(device)
        # start[i]: mass of all items before i; seen[j]: mass of the seen items before entry j
        self.start = torch.zeros(n_items + 1, dtype=torch.long, device=device)
        self.start[1:] = mass.cumsum(0)
        self.total = int(self.start[-1])
        self.seen = torch.zeros(len(pairs) + 1, dtype=torch.long, device=device)
        self.seen[1:] = mass[items].cumsum(0)
        self.seen_of_user = self.seen[self.first]
        # Where, on the user's own line, each seen item would stand. The users' lines are laid end
        # to end, `stride` apart, so that one sorted array serves a single search over all of them.
        self.stride = self.total + 1
        gap = self.start[items] - (self.seen[:-1] - self.seen_of_user[users])
        self.lines = users * self.stride + gap
        self.mass = self.total - (self.seen_of_user[1:] - self.seen_of_user[:-1])
        """int64 [n_users]: total mass of each user's unseen items; 0 when there are none."""

    def at(self, users: Tensor, points: Tensor) -> Tensor:
        """The unseen item under each point: users [P], points [P, k] in [0, mass) -> [P, k]."""
        rows = users[:, None]
        before = torch.searchsorted(self.lines, rows * self.stride + points, right=True)
        points = points + self.seen[before] - self.seen_of_user[rows]
        if self.uniform:
            return points
        return torch.searchsorted(self.start, points, right=True) - 1

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Independent draws proportional to mass: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        mass = self.mass[users][:, None]
        uniform = torch.rand(
            (len(users), k), generator=generator, dtype=torch.float64, device=users.device
        )
        # float64 times an integer can round up to the integer itself
        points = torch.minimum((uniform * mass).long(), mass - 1)
        return self.at(users, points)

    def draw_distinct(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """A uniform random set of k distinct unseen items for each user: users [P] -> items [P, k].

        Floyd's algorithm (Bentley & Floyd, CACM 1987), one step for all users at once: exact, and
        k draws however close k is to the number of unseen items. Needs unit masses and
        mass[users] >= k.
        """
        assert self.uniform
        mass = self.mass[users]
        chosen = torch.full((len(users), k), -1, dtype=torch.long, device=users.device)
        for step in range(k):
            last = mass - k + step
            uniform = torch.rand(
                len(users), generator=generator, dtype=torch.float64, device=users.device
            )
            point = torch.minimum((uniform * (last + 1)).long(), last)
            taken = (chosen[:, :step] == point[:, None]).any(1)
            chosen[:, step] = torch.where(taken, last, point)
        return self.at(users, chosen)


def popularity_mass(items: Tensor, n_items: int, power: float) -> Tensor | None:
    """Integer sampling masses proportional to count ** power; None (uniform) when power is 0.

    Items that never occur keep the smallest mass, 1 part in 2**31 or less, so that a user who has
    everything else still has a negative.
    """
    if power == 0:
        return None
    weights = torch.bincount(items, minlength=n_items).double() ** power
    return (weights / weights.sum() * 2**31).round().long().clamp_min(1)

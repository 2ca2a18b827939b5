"""The items a user has not interacted with, found without rejection."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import IntArray, Interactions, encode_distinct_pairs
from src.data.unseen_bits import UnseenBits, UnseenFolds
from src.kernels.available import is_available

# Every user's unseen items are listed where that takes at most so many entries: 64 or 128 MB; or
# his items are marked by a bit each, which takes 32 MB.
LISTED_PAIRS = 1 << 25
MARKED_PAIRS = 1 << 28


class UnseenItems:
    """The unseen items of each user, laid out on a line so that a random point is a random item.

    Give every item a mass (1, or its sampling weight) and put a user's unseen items side by side
    in order of id: a point in [0, mass[user]) then falls on exactly one of them. One binary search
    among the user's own interactions finds it, so memory grows with interactions and no draw is
    ever rejected, however heavy the user.

    Masses are integers because the layout must be exact: a rounding error would turn a positive
    into a negative.
    """

    def __init__(
        self,
        data: Interactions,
        item_mass: NDArray[np.int64] | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Index interactions (any order, repeats allowed) for draws on `device`.

        `item_mass`: int64 [n_items], positive; None gives every item mass 1.
        """
        n_users, n_items = data.n_users, data.n_items
        pairs = encode_distinct_pairs(data.users, data.items, n_items)
        own = np.arange(n_users + 1) * n_items
        first = np.searchsorted(pairs, own)
        # start[i]: mass of all items before i; seen[j]: mass of the seen items before entry j
        self.start = self.seen = None
        if item_mass is None:
            self.total, lines, seen = n_items, pairs, np.arange(len(pairs) + 1)
        else:
            start, items = np.concatenate([[0], item_mass.cumsum()]), pairs % n_items
            self.total, lines, own = int(start[-1]), start[items], np.zeros_like(own)
            seen = np.concatenate([[0], item_mass[items].cumsum()])
            self.start = torch.from_numpy(start).to(device)
            self.seen = torch.from_numpy(seen).to(device)
        seen_of_user = seen[first]
        # Where, on the user's own line, each seen item would stand. The users' lines are laid end
        # to end, `stride` apart, so that one sorted array serves a single search over all of them.
        self.stride = self.total + 1
        shift = np.arange(n_users) * self.stride + seen_of_user[:-1] - own[:-1]
        lines -= seen[:-1]
        lines += np.repeat(shift, np.diff(first))
        self.lines = torch.from_numpy(lines).to(device)
        self.seen_of_user = torch.from_numpy(seen_of_user).to(device)
        self.mass = self.total - self.seen_of_user.diff()
        """int64 [n_users]: total mass of each user's unseen items; 0 when there are none."""

    def find_items_at(self, users: Tensor, points: Tensor) -> Tensor:
        """Find the unseen item at each point: users [P], points [P, k] in [0, mass) -> [P, k]."""
        rows = users[:, None]
        before = torch.searchsorted(self.lines, rows * self.stride + points, right=True)
        if self.seen is None or self.start is None:
            return points + before - self.seen_of_user[rows]
        points = points + self.seen[before] - self.seen_of_user[rows]
        return torch.searchsorted(self.start, points, right=True) - 1

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw unseen items independently, in proportion to mass: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        # by user, so that one search ends near where the last did: 2.5 times faster at 20M
        in_order, order = users.sort()
        mass = self.mass[in_order][:, None]
        drawn = torch.empty(len(users), k, dtype=torch.long, device=users.device)
        drawn[order] = self.find_items_at(in_order, _draw_points(mass.expand(-1, k), generator))
        return drawn

    def draw_distinct(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw a uniform random set of k distinct unseen items a user: users [P] -> items [P, k].

        Floyd's algorithm (Bentley & Floyd, CACM 1987), one step for all users at once: exact, and
        k draws however close k is to the number of unseen items. Needs unit masses and
        mass[users] >= k.
        """
        assert self.seen is None
        last = self.mass[users] - k + torch.arange(k, device=users.device)[:, None]
        points = _draw_points(last + 1, generator).int()
        # a few thousand users at a time stay in cache
        for part in zip(points.split(4096, 1), last.int().split(4096, 1), strict=True):
            _replace_repeated(*part)
        return self.find_items_at(users, points.t().contiguous())


def _replace_repeated(points: Tensor, last: Tensor) -> None:
    """Replace a point that was chosen before by its step's last point; both [k, P]."""
    for step in range(1, len(points)):
        taken = (points[:step] == points[step]).any(0)
        points[step] = torch.where(taken, last[step], points[step])


class UnseenLists:
    """The unseen items of each user, listed one by one: the fastest draw where lists are short.

    Memory grows with n_users × n_items; see LISTED_PAIRS.
    """

    def __init__(self, data: Interactions, device: torch.device | None = None) -> None:
        """Index interactions (any order, repeats allowed) for draws on `device`."""
        unseen = np.ones((data.n_users, data.n_items), bool)
        unseen[data.users, data.items] = False
        kind = np.int16 if data.n_items <= np.iinfo(np.int16).max else np.int32
        every_item = np.broadcast_to(np.arange(data.n_items, dtype=kind), unseen.shape)
        self.items = torch.from_numpy(every_item[unseen]).to(device)
        mass = unseen.sum(1)
        self.mass = torch.from_numpy(mass).to(device)
        """int64 [n_users]: how many items each user has not seen."""
        self.first = torch.from_numpy(mass.cumsum() - mass).to(device)

    def draw(self, users: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Draw unseen items independently and uniformly: users [P] -> items [P, k].

        Every user must have unseen mass.
        """
        mass, first = self.mass.index_select(0, users), self.first.index_select(0, users)
        points = _draw_points(mass.expand(k, -1), generator).add_(first)
        return self.items.index_select(0, points.view(-1)).view(k, -1).t().long()


Unseen = UnseenItems | UnseenLists | UnseenBits | UnseenFolds


def index_unseen(
    data: Interactions,
    item_mass: NDArray[np.int64] | None = None,
    device: torch.device | None = None,
) -> Unseen:
    """Choose what draws training negatives fastest."""
    on_cpu = device is None or device.type == "cpu"
    compiled = item_mass is None and on_cpu and is_available()
    pairs = data.n_users * data.n_items
    if compiled:
        return UnseenBits(data) if pairs <= MARKED_PAIRS else UnseenFolds(data)
    if item_mass is None and pairs <= LISTED_PAIRS:
        return UnseenLists(data, device)
    return UnseenItems(data, item_mass, device)


def popularity_mass(items: IntArray, n_items: int, power: float) -> NDArray[np.int64] | None:
    """Compute integer sampling masses ~ count ** power; return None (uniform) when power is 0.

    Items that never occur keep the smallest mass, 1 part in 2**31 or less, so that a user who has
    everything else still has a negative.
    """
    if power == 0:
        return None
    weights = np.bincount(items, minlength=n_items).astype(np.float64) ** power
    return np.maximum(np.rint(weights / weights.sum() * 2**31), 1).astype(np.int64)


def _draw_points(mass: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a random integer in [0, mass) for each entry of `mass`."""
    uniform = torch.rand(mass.shape, generator=generator, dtype=torch.float64, device=mass.device)
    # float64 times an integer can round up to the integer itself
    return torch.minimum(uniform.mul_(mass).long(), mass - 1)

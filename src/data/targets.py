"""The targets of validation or test, in batches ready to be scored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from src.data.interactions import IntArray
from src.data.prepared import Part, Prepared
from src.data.share import WHOLE, Share
from src.data.slices import ItemsByUser

# Pairs scored at a time: on a CPU so few that what a model makes of them stays in cache.
PAIRS_PER_BATCH = {"cpu": 1 << 14, "cuda": 1 << 20}
# Scores of whole catalogues held at a time
SCORES_PER_BATCH = 1 << 20


class CandidateBatch(NamedTuple):
    """Targets with sampled candidates."""

    users: Tensor
    """int64 [T]"""
    items: Tensor
    """int64 [T, 1+C], the target in column 0."""


class CatalogueBatch(NamedTuple):
    """Users whose targets are ranked among every item they never interacted with."""

    users: Tensor
    """int64 [P], each user once."""
    rows: Tensor
    """int64 [T]: which of `users` a target belongs to."""
    targets: Tensor
    """int64 [T]"""
    known: Tensor
    """bool [P, n_items]: the user's interactions in any part, targets included."""


class PartTargets:
    """The targets of one part, and the facts about the data that their metrics need.

    Iterating gives the batches of a share of them. Batches are the same however many processes
    share them, because a score may differ in its last bit with the size of its batch.
    """

    def __init__(
        self, prepared: Prepared, part: Part, device: torch.device, share: Share = WHOLE
    ) -> None:
        data, split = prepared.part(part), prepared.split
        self.share = share
        self.n_users, self.n_items = prepared.n_users, prepared.n_items
        self.rows = self._order_rows(data.users)
        """int64 [T]: the row in the part of each target."""
        self.users = _move_to(device, data.users[self.rows])
        """int64 [T]"""
        self.targets = _move_to(device, data.items[self.rows])
        """int64 [T]"""
        self.ratings = None
        """float32 [T] where the data has ratings, otherwise None."""
        if data.ratings is not None:
            self.ratings = torch.from_numpy(data.ratings[self.rows]).to(device)
        self._parts = (split.train, split.validation, split.test)
        known = [np.bincount(p.users, minlength=self.n_users) for p in self._parts]
        self.known_counts = _move_to(device, np.sum(known, axis=0))
        """int64 [n_users]: interactions in any part."""
        self.activity = _move_to(device, known[0])
        """int64 [n_users]: interactions in training."""
        popularity = np.bincount(split.train.items, minlength=self.n_items)
        self.popularity = _move_to(device, popularity)
        """int64 [n_items]: interactions in training."""

    def _order_rows(self, users: IntArray) -> IntArray:
        return np.arange(len(users))

    def __len__(self) -> int:
        """Return the number of batches of this share, at least 1."""
        mine = self.share.of(self._n_batches)
        return max(1, mine.stop - mine.start)

    def __iter__(self) -> Iterator[CandidateBatch | CatalogueBatch | None]:
        """Yield the batches of this share; None where it has none, because Lightning wants one."""
        mine = self.share.of(self._n_batches)
        if mine.start == mine.stop:
            yield None
        for number in range(mine.start, mine.stop):
            yield self._make_batch(number)

    @property
    def first(self) -> int:
        """The place among all targets of the share's first one."""
        return self._first_of(self.share.of(self._n_batches).start)

    @property
    def _n_batches(self) -> int:
        """The number of batches of all shares."""
        raise NotImplementedError

    def _make_batch(self, number: int) -> CandidateBatch | CatalogueBatch:
        raise NotImplementedError

    def _first_of(self, number: int) -> int:
        """Return the place among all targets of a batch's first one."""
        raise NotImplementedError

    @property
    def n_unseen(self) -> Tensor:
        """The number of items that each target's user never interacted with: int64 [T]."""
        return self.n_items - self.known_counts[self.users]


class CandidateTargets(PartTargets):
    """An iterable of CandidateBatch over one part, in the order of its rows."""

    def __init__(
        self, prepared: Prepared, part: Part, device: torch.device, share: Share = WHOLE
    ) -> None:
        super().__init__(prepared, part, device, share)
        assert prepared.candidates is not None
        self.items = torch.cat(
            [self.targets[:, None], _move_to(device, prepared.candidates[part])], dim=1
        )
        self.rows_per_batch = max(1, PAIRS_PER_BATCH[device.type] // self.items.shape[1])

    @property
    def _n_batches(self) -> int:
        return -(-len(self.users) // self.rows_per_batch)

    def _first_of(self, number: int) -> int:
        return number * self.rows_per_batch

    def _make_batch(self, number: int) -> CandidateBatch:
        rows = slice(self._first_of(number), self._first_of(number + 1))
        return CandidateBatch(self.users[rows], self.items[rows])


class CatalogueTargets(PartTargets):
    """An iterable of CatalogueBatch over one part, user by user."""

    n_drawn: int | None = None
    """Of how many candidates a draw would be over which metrics are expectations; None: of all."""

    def __init__(
        self, prepared: Prepared, part: Part, device: torch.device, share: Share = WHOLE
    ) -> None:
        super().__init__(prepared, part, device, share)
        self.unique_users, self.counts = torch.unique_consecutive(self.users, return_counts=True)
        self.known = ItemsByUser.of(self._parts, device)
        self.users_per_batch = max(1, SCORES_PER_BATCH // self.n_items)
        ends = [0, *self.counts.cumsum(0).tolist()]
        self._starts = [*ends[: -1 : self.users_per_batch], ends[-1]]
        """The place of each batch's first target, and the number of targets."""

    def _order_rows(self, users: IntArray) -> IntArray:
        return np.argsort(users, kind="stable")

    @property
    def first_user(self) -> int:
        """The place among all users of the share's first one."""
        return self.share.of(self._n_batches).start * self.users_per_batch

    @property
    def _n_batches(self) -> int:
        return len(self._starts) - 1

    def _first_of(self, number: int) -> int:
        return self._starts[number]

    def _make_batch(self, number: int) -> CatalogueBatch:
        mine = slice(number * self.users_per_batch, (number + 1) * self.users_per_batch)
        users, rows = self.unique_users[mine], torch.repeat_interleave(self.counts[mine])
        targets = self.targets[self._first_of(number) : self._first_of(number + 1)]
        return CatalogueBatch(users, rows, targets, self.known.mark(users))


Targets = CandidateTargets | CatalogueTargets


def make_targets(
    prepared: Prepared, part: Part, device: torch.device, share: Share = WHOLE
) -> Targets:
    """Return the part's targets: with sampled candidates if it has any, else with the catalogue."""
    if prepared.candidates is not None and part in prepared.candidates:
        return CandidateTargets(prepared, part, device, share)
    targets = CatalogueTargets(prepared, part, device, share)
    targets.n_drawn = prepared.n_candidates
    return targets


def _move_to(device: torch.device, array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.int64)).to(device)

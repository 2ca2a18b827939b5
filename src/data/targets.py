"""The targets of validation or test, in batches ready to be scored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from src.data.prepared import Part, Prepared
from src.data.slices import positions

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


class CandidateTargets:
    """Iterable of CandidateBatch over one part, in the order of its rows."""

    def __init__(self, prepared: Prepared, part: Part, device: torch.device) -> None:
        assert prepared.candidates is not None
        data = prepared.part(part)
        self.users = _to(device, data.users)
        self.targets = _to(device, data.items)
        self.items = torch.cat(
            [self.targets[:, None], _to(device, prepared.candidates[part])], dim=1
        )
        self.rows_per_batch = max(1, PAIRS_PER_BATCH[device.type] // self.items.shape[1])

    def __len__(self) -> int:
        return -(-len(self.users) // self.rows_per_batch)

    def __iter__(self) -> Iterator[CandidateBatch]:
        batches = zip(
            self.users.split(self.rows_per_batch),
            self.items.split(self.rows_per_batch),
            strict=True,
        )
        return (CandidateBatch(users, items) for users, items in batches)


class CatalogueTargets:
    """Iterable of CatalogueBatch over one part; `users` and `targets` list its rows in order."""

    def __init__(self, prepared: Prepared, part: Part, device: torch.device) -> None:
        data = prepared.part(part)
        order = np.argsort(data.users, kind="stable")
        self.users = _to(device, data.users[order])
        self.targets = _to(device, data.items[order])
        self.unique_users, self.counts = torch.unique_consecutive(self.users, return_counts=True)
        self.n_items = prepared.n_items
        split = prepared.split
        parts = (split.train, split.validation, split.test)
        users = _to(device, np.concatenate([p.users for p in parts]))
        self.known_items = _to(device, np.concatenate([p.items for p in parts]))[users.argsort()]
        known_counts = torch.bincount(users, minlength=prepared.n_users)
        self.known_ends = known_counts.cumsum(0)
        self.known_starts = self.known_ends - known_counts
        self.users_per_batch = max(1, SCORES_PER_BATCH // self.n_items)

    def __len__(self) -> int:
        return -(-len(self.unique_users) // self.users_per_batch)

    def __iter__(self) -> Iterator[CatalogueBatch]:
        done = 0
        for users, counts in zip(
            self.unique_users.split(self.users_per_batch),
            self.counts.split(self.users_per_batch),
            strict=True,
        ):
            rows = torch.repeat_interleave(counts)
            targets = self.targets[done : done + len(rows)]
            done += len(rows)
            yield CatalogueBatch(users, rows, targets, self._known(users))

    def _known(self, users: Tensor) -> Tensor:
        starts = self.known_starts[users]
        rows, places = positions(starts, self.known_ends[users] - starts)
        known = torch.zeros(len(users), self.n_items, dtype=torch.bool, device=users.device)
        known[rows, self.known_items[places]] = True
        return known


Targets = CandidateTargets | CatalogueTargets


def make_targets(prepared: Prepared, part: Part, device: torch.device) -> Targets:
    """The part's targets with its sampled candidates, or against the catalogue if it has none."""
    kind = CatalogueTargets if prepared.candidates is None else CandidateTargets
    return kind(prepared, part, device)


def _to(device: torch.device, array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.int64)).to(device)

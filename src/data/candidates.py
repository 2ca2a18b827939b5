"""The negatives that a target is ranked among."""

from __future__ import annotations

import numpy as np
import torch

from src.data.interactions import IntArray
from src.data.prepared import Part
from src.data.splitting import Split
from src.data.stream import derive_seed
from src.data.unseen import UnseenItems
from src.errors import UserError


def draw_candidates(split: Split, part: Part, n: int, seed: int) -> IntArray:
    """For each row of the part, n distinct items that its user has in none of the three parts.

    int32 [rows, n]; a user's rows share one set. Raises UserError when some user who is judged,
    on either part, has fewer such items.
    """
    rows = split.validation if part == "val" else split.test
    if not len(rows):
        return np.empty((0, n), np.int32)
    parts = (split.train, split.validation, split.test)
    unseen = UnseenItems(
        torch.from_numpy(np.concatenate([p.users for p in parts])),
        torch.from_numpy(np.concatenate([p.items for p in parts])),
        split.train.n_users,
        split.train.n_items,
    )
    judged = np.concatenate([split.validation.users, split.test.users])
    fewest = int(unseen.mass[torch.from_numpy(judged).long()].min())
    if fewest < n:
        raise UserError(
            f"data.candidates={n} is more than the catalogue allows: some user has only {fewest} "
            "items never interacted with; use fewer candidates, or data.candidates=all"
        )
    users, row_of = np.unique(rows.users, return_inverse=True)
    generator = torch.Generator().manual_seed(derive_seed(seed, ("val", "test").index(part)))
    drawn = unseen.draw_distinct(torch.from_numpy(users).long(), n, generator)
    return drawn.numpy().astype(np.int32)[row_of]

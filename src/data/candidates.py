"""The negatives that a target is ranked among."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from src.data.interactions import IntArray, Interactions
from src.data.prepared import Part
from src.data.splitting import Split
from src.data.stream import derive_seed
from src.data.unseen import UnseenItems
from src.errors import UserError


def draw_candidates(split: Split, parts: Sequence[Part], n: int, seed: int) -> dict[Part, IntArray]:
    """Draw n distinct items for each row of each part, all of them unknown to the row's user.

    Return int32 [rows, n] for each part. An item is unknown if the user has it in none of training,
    validation and test. A user's rows of one part share a set. Raises UserError when some user who
    is judged on one of the parts has fewer such items.
    """
    everything = (split.train, split.validation, split.test)
    unseen = UnseenItems(
        Interactions(
            np.concatenate([part.users for part in everything]),
            np.concatenate([part.items for part in everything]),
            split.train.user_ids,
            split.train.item_ids,
        )
    )
    rows = {part: split.validation if part == "val" else split.test for part in parts}
    judged = np.concatenate([rows[part].users for part in parts])
    fewest = int(unseen.mass[torch.from_numpy(judged).long()].min()) if len(judged) else n
    if fewest < n:
        raise UserError(
            f"data.candidates={n} is more than the catalogue allows: some user has only {fewest} "
            "items never interacted with; use fewer candidates, or data.candidates=all"
        )
    return {part: _draw_for_users(rows[part].users, part, n, seed, unseen) for part in parts}


def _draw_for_users(
    judged: IntArray, part: Part, n: int, seed: int, unseen: UnseenItems
) -> IntArray:
    users, row_of = np.unique(judged, return_inverse=True)
    generator = torch.Generator().manual_seed(derive_seed(seed, ("val", "test").index(part)))
    drawn = unseen.draw_distinct(torch.from_numpy(users).long(), n, generator)
    return drawn.numpy().astype(np.int32)[row_of]

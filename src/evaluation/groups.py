"""Which group a user or an item belongs to: users by activity, items by popularity, in training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from src.evaluation.catalogue import ITEM_GROUPS, USER_GROUPS


def group_users(activity: Tensor, users: Tensor) -> dict[str, Tensor]:
    """Mark the rows of each quarter of the users, by name: bool [T].

    activity int64 [n_users]: interactions in training; users int64 [T], in any order. The quarters
    are of the distinct users among the rows; those of equal activity are in one.
    """
    cuts = np.quantile(activity[users.unique()].cpu().numpy(), [0.25, 0.5, 0.75])
    places = torch.bucketize(activity[users].double(), torch.from_numpy(cuts).to(users.device))
    return {name: places == place for place, name in enumerate(USER_GROUPS)}


def group_items(popularity: Tensor, items: Tensor) -> dict[str, Tensor]:
    """Mark the rows of each group of items, by name: bool [T].

    popularity int64 [n_items]: interactions in training; items int64 [T]. The head are the most
    popular items with the first third of all interactions, the middle those with the second, the
    tail the others that have any; those of equal popularity are in one group.
    """
    ordered, order = popularity.sort(descending=True, stable=True)
    total = int(ordered.sum())
    before = ordered.cumsum(0) - ordered
    # of equally popular ones what comes before the first of them
    _, same, sizes = ordered.unique_consecutive(return_inverse=True, return_counts=True)
    before = before[sizes.cumsum(0) - sizes][same]
    place = torch.empty_like(popularity)
    place[order] = (3 * before >= total).long() + (3 * before >= 2 * total).long()
    place[popularity == 0] = len(ITEM_GROUPS) - 1
    found = place[items]
    return {name: found == group for group, name in enumerate(ITEM_GROUPS)}

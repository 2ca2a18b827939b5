"""Filters for raw interactions before they are split: threshold, repeated pairs, k-core."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import Interactions, encode_distinct_pairs
from src.errors import UserError

log = logging.getLogger(__name__)


def filter_interactions(data: Interactions, threshold: float | None, k_core: int) -> Interactions:
    """Keep ratings >= `threshold`, one row for each pair, and the k-core; ids stay contiguous.

    Raises UserError when there are no ratings to threshold, or when nothing is left.
    """
    if threshold is not None:
        if data.ratings is None:
            raise UserError(f"data.threshold={threshold} needs ratings, and this data has none")
        data = data.take(data.ratings >= threshold)
    data = keep_latest_of_pairs(data)
    if k_core > 1:
        data = data.take(_find_k_core(data, k_core))
    if not len(data):
        raise UserError(
            f"no interactions are left after data.threshold={threshold} and data.k_core={k_core}"
        )
    return _drop_absent_ids(data)


def refuse_filters(threshold: float | None, k_core: int) -> None:
    """Refuse to filter a split that was released as it stands: raise UserError."""
    if threshold is not None or k_core > 1:
        raise UserError("data.threshold and data.k_core can't change a released split")


def keep_latest_of_pairs(data: Interactions) -> Interactions:
    """Keep the latest row of each user-item pair, and the one later in the file among equals."""
    if len(encode_distinct_pairs(data.users, data.items, data.n_items)) == len(data):
        return data
    pairs = data.users.astype(np.int64) * data.n_items + data.items
    if data.timestamps is None:
        order = np.arange(len(data))
    else:
        order = np.argsort(data.timestamps, kind="stable")
    _, last = np.unique(pairs[order][::-1], return_index=True)
    log.info("%d repeated user-item pairs: the latest of each is kept", len(data) - len(last))
    return data.take(np.sort(order[::-1][last]))


def _find_k_core(data: Interactions, k: int) -> NDArray[np.bool_]:
    """Mark the largest subset in which every user and every item has at least k interactions."""
    kept = np.ones(len(data), bool)
    while True:
        users = np.bincount(data.users[kept], minlength=data.n_users)
        items = np.bincount(data.items[kept], minlength=data.n_items)
        keep = kept & (users[data.users] >= k) & (items[data.items] >= k)
        if keep.sum() == kept.sum():
            return kept
        kept = keep


def _drop_absent_ids(data: Interactions) -> Interactions:
    """Renumber users and items that still occur, keeping their order, and drop the others."""
    users, user_ids = _renumber(data.users, data.user_ids)
    items, item_ids = _renumber(data.items, data.item_ids)
    return replace(data, users=users, items=items, user_ids=user_ids, item_ids=item_ids)


def _renumber(ids: NDArray[Any], names: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    present = np.bincount(ids, minlength=len(names)) > 0
    if present.all():
        return ids, names
    new = present.cumsum(dtype=np.int32) - np.int32(1)
    return new[ids], names[present]

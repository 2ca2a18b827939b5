"""Slices of one long array, one for each user: how sets of different sizes lie in one tensor."""

from __future__ import annotations

import torch
from torch import Tensor


def positions(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """All positions in slices of `counts` [P] that begin at `starts` [P], both int64.

    -> which slice each position belongs to [n] and the position itself [n], slice by slice.
    """
    rows = torch.repeat_interleave(counts)
    first = starts - (counts.cumsum(0) - counts)
    places = first.index_select(0, rows).add_(torch.arange(len(rows), device=rows.device))
    return rows, places

"""Slices of one long array, one for each user: sets of different sizes in one tensor."""

from __future__ import annotations

import torch
from torch import Tensor


def list_positions(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """List all positions in slices of `counts` [P] that begin at `starts` [P], both int64.

    Return which slice each position belongs to [n] and the position itself [n], slice by slice.
    """
    rows = torch.repeat_interleave(counts)
    first = starts - (counts.cumsum(0) - counts)
    places = first.index_select(0, rows).add_(torch.arange(len(rows), device=rows.device))
    return rows, places

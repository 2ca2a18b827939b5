"""What testing leaves in a run's folder: every user's metrics and every target's ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from src.config.durable import replacing
from src.data.interactions import Interactions
from src.evaluation.per_user import write_per_user, write_ranks
from src.evaluation.ranking import Ranking


def write_results(
    folder: Path, part: Interactions, rankings: Sequence[Ranking], ks: Sequence[int]
) -> None:
    """Write per_user.parquet and ranks.parquet of the tested part.

    The first of `rankings` is among the protocol's candidates; a second is among the whole
    catalogue, and the names of what comes from it begin with "full/".
    """
    users: Tensor = torch.empty(0)
    metrics: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for place, ranking in enumerate(rankings):
        prefix = "full/" if place else ""
        users, values = ranking.per_user(ks)
        metrics |= {f"{prefix}{name}": value for name, value in values.items()}
        # in the order of the part's rows
        rows = torch.from_numpy(ranking.targets.rows)
        found[f"{prefix}rank"] = torch.empty_like(ranking.ranks.cpu())
        found[f"{prefix}rank"][rows] = ranking.ranks.cpu()
    items = torch.from_numpy(np.array(part.items))
    by_row = torch.from_numpy(np.array(part.users))
    # a run that is killed meanwhile leaves no half of a file to its record
    with replacing(folder / "per_user.parquet") as file:
        write_per_user(file, part.user_ids, users, metrics)
    with replacing(folder / "ranks.parquet") as file:
        write_ranks(file, part, by_row, items, found)

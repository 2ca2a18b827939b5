"""Per-target results on disk, for paired tests and error analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from src.data.interactions import Interactions
from src.evaluation.metrics import metrics_at


def write_per_user(
    file: Path,
    part: Interactions,
    users: Tensor,
    items: Tensor,
    ranks: Tensor,
    ks: Sequence[int],
) -> None:
    """One Parquet row a target: raw user id, raw item id, rank, and every metric.

    users, items and ranks are int64 [T]; `part` knows the raw ids.
    """
    columns = {
        "user": np.asarray(part.user_ids)[users.cpu().numpy()],
        "item": np.asarray(part.item_ids)[items.cpu().numpy()],
        "rank": ranks.cpu().numpy(),
    }
    metrics = {name: values.cpu().numpy() for name, values in metrics_at(ranks, ks).items()}
    pd.DataFrame({**columns, **metrics}).to_parquet(file, index=False)

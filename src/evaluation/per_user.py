"""Results by user and by target on disk, for paired tests and error analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions


def write_per_user(
    file: Path, user_ids: NDArray[Any], users: Tensor, metrics: dict[str, Tensor]
) -> None:
    """Write one Parquet row a user: the raw id as "user", and every metric.

    user_ids [n_users]: all raw ids; users int64 [U], and each metric [U].
    """
    _write_parquet(file, {"user": _look_up_raw_ids(user_ids, users)}, metrics)


def write_ranks(
    file: Path, part: Interactions, users: Tensor, items: Tensor, ranks: dict[str, Tensor]
) -> None:
    """Write one Parquet row a target: raw ids as "user" and "item", and every kind of rank.

    users and items are int64 [T], and so is each of `ranks`; `part` knows the raw ids.
    """
    ids = {
        "user": _look_up_raw_ids(part.user_ids, users),
        "item": _look_up_raw_ids(part.item_ids, items),
    }
    _write_parquet(file, ids, ranks)


def _look_up_raw_ids(ids: NDArray[Any], index: Tensor) -> NDArray[Any]:
    # a plain array, also of memory-mapped ids
    return np.asarray(ids)[index.cpu().numpy()]


def _write_parquet(file: Path, ids: dict[str, NDArray[Any]], columns: dict[str, Tensor]) -> None:
    values = {name: column.cpu().numpy() for name, column in columns.items()}
    import pandas as pd  # not before there is a result

    pd.DataFrame({**ids, **values}).to_parquet(file, index=False)

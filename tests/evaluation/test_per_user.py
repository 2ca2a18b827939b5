from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.interactions import Interactions
from src.evaluation.per_user import write_per_user, write_ranks

IDS = [
    (np.array(["ann", "bob", "cy"]), np.array([17, 4, 99, 30])),
    (np.array([5, 3, 8]), np.array(["a", "b", "c", "d"])),
]


@pytest.mark.parametrize(("user_ids", "item_ids"), IDS)
def test_a_row_for_each_user(tmp_path: Path, user_ids: np.ndarray, item_ids: np.ndarray) -> None:
    metrics = {
        "hr@10": torch.tensor([1.0, 0.5], dtype=torch.float64),
        "auc": torch.tensor([0.1, 0.2], dtype=torch.float64),
    }
    write_per_user(tmp_path / "test.parquet", user_ids, torch.tensor([0, 2]), metrics)
    table = pd.read_parquet(tmp_path / "test.parquet")
    assert table.to_dict("list") == {
        "user": [user_ids[0], user_ids[2]],
        "hr@10": [1, 0.5],
        "auc": [0.1, 0.2],
    }


@pytest.mark.parametrize(("user_ids", "item_ids"), IDS)
def test_a_row_for_each_target(tmp_path: Path, user_ids: np.ndarray, item_ids: np.ndarray) -> None:
    users, items = np.array([0, 2, 2], np.int32), np.array([3, 0, 1], np.int32)
    # not in the order of the part: the ids that are given decide
    write_ranks(
        tmp_path / "ranks.parquet",
        Interactions(users, items, user_ids, item_ids),
        torch.tensor([2, 0, 2]),
        torch.tensor([1, 3, 0]),
        {"rank": torch.tensor([1, 3, 12]), "catalogue_rank": torch.tensor([20, 70, 300])},
    )
    table = pd.read_parquet(tmp_path / "ranks.parquet")
    assert table.to_dict("list") == {
        "user": [user_ids[2], user_ids[0], user_ids[2]],
        "item": [item_ids[1], item_ids[3], item_ids[0]],
        "rank": [1, 3, 12],
        "catalogue_rank": [20, 70, 300],
    }


def test_memory_mapped_ids_can_be_written(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array(["ann", "bob"]))
    ids = np.load(tmp_path / "ids.npy", mmap_mode="r")
    zero, one = np.zeros(1, np.int32), torch.tensor([1])
    part = Interactions(zero, zero, ids, ids)
    write_ranks(tmp_path / "ranks.parquet", part, one, one - 1, {"rank": one})
    write_per_user(tmp_path / "users.parquet", ids, one, {"auc": one.double()})
    assert pd.read_parquet(tmp_path / "ranks.parquet").to_numpy().tolist() == [["bob", "ann", 1]]
    assert pd.read_parquet(tmp_path / "users.parquet").to_numpy().tolist() == [["bob", 1]]

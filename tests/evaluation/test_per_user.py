from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.interactions import Interactions
from src.evaluation.per_user import write_per_user


@pytest.mark.parametrize(
    ("user_ids", "item_ids"),
    [
        (np.array(["ann", "bob", "cy"]), np.array([17, 4, 99, 30])),
        ([5, 3, 8], ["a", "b", "c", "d"]),
    ],
)
def test_results_are_written_with_raw_ids(
    tmp_path: Path, user_ids: np.ndarray, item_ids: np.ndarray
) -> None:
    users, items = np.array([0, 2, 2], np.int32), np.array([3, 0, 1], np.int32)
    part = Interactions(users, items, np.array(user_ids), np.array(item_ids))
    file = tmp_path / "test.parquet"
    # not in the order of `part`: the ids that are given decide
    write_per_user(
        file,
        part,
        torch.tensor([2, 0, 2]),
        torch.tensor([1, 3, 0]),
        torch.tensor([1, 3, 12]),
        ks=[1, 10],
    )
    table = pd.read_parquet(file)
    assert table.columns.tolist() == [
        "user", "item", "rank", "hr@1", "ndcg@1", "mrr@1", "hr@10", "ndcg@10", "mrr@10",
    ]  # fmt: skip
    assert table["user"].tolist() == [user_ids[2], user_ids[0], user_ids[2]]
    assert table["item"].tolist() == [item_ids[1], item_ids[3], item_ids[0]]
    assert table["rank"].tolist() == [1, 3, 12]
    assert table["hr@1"].tolist() == [1, 0, 0]
    assert table["hr@10"].tolist() == [1, 1, 0]
    assert table["ndcg@10"].tolist() == [1, 0.5, 0]
    assert table["mrr@10"].tolist() == pytest.approx([1, 1 / 3, 0])


def test_memory_mapped_ids_can_be_written(tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array(["ann", "bob"]))
    ids = np.load(tmp_path / "ids.npy", mmap_mode="r")
    zero = np.zeros(1, np.int32)
    write_per_user(
        tmp_path / "val.parquet",
        Interactions(zero, zero, ids, ids),
        torch.tensor([1]),
        torch.tensor([0]),
        torch.tensor([2]),
        ks=[10],
    )
    table = pd.read_parquet(tmp_path / "val.parquet")
    assert table[["user", "item"]].to_numpy().tolist() == [["bob", "ann"]]

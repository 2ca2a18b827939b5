"""Lists that something else made, as scores of the data's users and items."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.interactions import Interactions
from src.data.prepared import Prepared
from src.data.splitting import Split
from src.errors import UserError
from src.serving.listed_scores import ListedScores
from src.serving.outside_lists import OutsideLists

USERS, ITEMS = np.array(["ann", "bob", "cid"]), np.array([10, 20, 30, 40])
LOWEST = -torch.inf


def part(*pairs: tuple[int, int]) -> Interactions:
    users, items = (np.array([pair[i] for pair in pairs], np.int32) for i in (0, 1))
    return Interactions(users, items, USERS, ITEMS)


PREPARED = Prepared(
    Split(part((0, 0), (1, 0), (2, 0)), part((0, 1)), part((0, 2), (1, 3))), None, "print"
)


def read(folder: Path, text: str, name: str = "lists.csv", **columns: str) -> ListedScores:
    (folder / name).write_text(text)
    return OutsideLists(str(folder / name), **columns).read(PREPARED)


def scores(model: ListedScores) -> list[list[float]]:
    return model.score_all(torch.arange(3)).tolist()


def test_what_is_not_listed_comes_last(tmp_path: Path) -> None:
    model = read(tmp_path, "user,item,score\nbob,40,0.2\nann,30,-5\nann,20,-7\nbob,10,0.9\n")
    assert scores(model) == [
        [LOWEST, -1.0, 0.0, LOWEST],
        [0.0, LOWEST, LOWEST, -1.0],
        [LOWEST] * 4,
    ]
    # pairs are scored alike
    found = model.score_candidates(torch.tensor([1, 0]), torch.tensor([[3, 1], [2, 3]]))
    assert found.tolist() == [[-1.0, LOWEST], [0.0, LOWEST]]


def test_equal_scores_stay_equal_and_close_ones_apart(tmp_path: Path) -> None:
    rows = "ann,10,1.00000000001\nann,20,1\nann,30,1\nann,40,0.5\n"
    model = read(tmp_path, f"user,item,score\n{rows}")
    assert scores(model)[0] == [0.0, -1.0, -1.0, -2.0]


def test_ranks_count_where_there_are_no_scores(tmp_path: Path) -> None:
    model = read(tmp_path, "user,item,rank\nann,10,2\nann,20,1\n")
    assert scores(model)[0] == [-1.0, 0.0, LOWEST, LOWEST]
    both = read(tmp_path, "user,item,rank,score\nann,10,1,0.1\nann,20,2,0.2\n")
    assert scores(both)[0] == [-1.0, 0.0, LOWEST, LOWEST]
    named = read(
        tmp_path, "u,i,a,b\nann,10,1,0.1\n", user_column="u", item_column="i", rank_column="a"
    )
    assert scores(named)[0] == [0.0, LOWEST, LOWEST, LOWEST]


def test_parquet_and_json(tmp_path: Path) -> None:
    frame = pd.DataFrame({"userId": ["cid"], "movieId": ["20"], "prediction": [3.5]})
    frame.to_parquet(tmp_path / "lists.parquet")
    model = OutsideLists(str(tmp_path / "lists.parquet")).read(PREPARED)
    assert scores(model)[2] == [LOWEST, 0.0, LOWEST, LOWEST]
    text = '[{"user": "cid", "item": 20, "score": 3.5}]'
    assert scores(read(tmp_path, text, "lists.json")) == scores(model)


def test_rows_of_strangers_are_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        model = read(tmp_path, "user,item,score\nann,30,3\nann,99,9\nzoe,10,1\n")
    assert scores(model)[0] == [LOWEST, LOWEST, 0.0, LOWEST]
    assert caplog.messages[-1] == (
        "lists.csv: 3 rows in order of score; 2 of users or items that the data don't have were "
        "dropped; 1 of 2 tested users have a list, and 1 of 2 test items are in it"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,item\nann,10\n", " has neither scores nor ranks: score_column=NAME or rank_column="),
        ("user,item,score\nann,10,1\nann,10,2\n", ": some user has the same item twice"),
        (
            "user,item,score\n7,10,1\n",
            ": no user is in the data, where users are called ann, not 7",
        ),
        (
            "user,item,score\nann,10.0,1\n",
            ": no item is in the data, where items are called 10, not 10.0",
        ),
        ("user,item,score\nann,10,high\n", ", line 2: score 'high' is not a number"),
        (
            "person,item,score\n",
            ": which column is the user? user_column=NAME says it, of 'person'",
        ),
    ],
)
def test_what_is_no_table_of_lists(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/lists.csv{said}")

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from src.data.preparing import prepare
from src.data.sources.parts import PartFiles
from src.data.sources.source import ReleasedSplit
from src.errors import UserError
from tests.data.fakes import options

TRAIN = "userId,itemId\nann,7\nann,3\nbob,3\nbob,5\n"
VALIDATION = "userId,itemId\nbob,9\n"
TEST = "userId,itemId\nbob,7\nann,4\n"
CANDIDATES = "user,item\nann,5\nbob,4\nann,9\nbob,8\nzoe,3\n"


def write(folder: Path, **texts: str) -> dict[str, str]:
    """Write tables and return the arguments that name them."""
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return {f"{name}_path": str(folder / f"{name}.csv") for name in texts}


def read(folder: Path, **texts: str) -> ReleasedSplit:
    return PartFiles(**write(folder, **texts)).read()  # type: ignore[arg-type]


def test_parts_share_their_ids(tmp_path: Path) -> None:
    split = read(tmp_path, train=TRAIN, validation=VALIDATION, test=TEST, candidates=CANDIDATES)
    assert split.train.user_ids.tolist() == ["ann", "bob"]
    assert split.train.item_ids.tolist() == [7, 3, 5, 9, 4, 8]
    assert split.train.users.tolist() == [0, 0, 1, 1]
    assert split.train.items.tolist() == [0, 1, 1, 2]
    assert split.validation is not None
    assert (split.validation.users.tolist(), split.validation.items.tolist()) == ([1], [3])
    assert (split.test.users.tolist(), split.test.items.tolist()) == ([1, 0], [0, 4])
    # bob's first, as in test; zoe is in no other table
    assert split.negatives is not None
    assert split.negatives.tolist() == [[4, 5], [2, 3]]
    assert split.negatives.dtype == "int32"


def test_numbers_in_one_table_and_texts_in_another_are_texts(tmp_path: Path) -> None:
    split = read(tmp_path, train="user,item\n1,7\n2,8\n", test="user,item\n1,x\n2,7\n")
    assert split.train.item_ids.tolist() == ["7", "8", "x"]
    assert split.train.user_ids.tolist() == [1, 2]
    assert split.test.items.tolist() == [2, 0]


def test_several_test_items_of_a_user_share_candidates(tmp_path: Path) -> None:
    test = "user,item\nann,4\nbob,7\nann,5\n"
    split = read(tmp_path, train=TRAIN, test=test, candidates="user,item\nbob,8\nann,9\n")
    assert split.negatives is not None
    ids = split.train.item_ids
    assert [ids[row].tolist() for row in split.negatives] == [[9], [8], [9]]


def test_who_is_not_in_training_is_dropped_and_what_leaks_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "src.data.sources.parts"):
        split = read(tmp_path, train=TRAIN, test="userId,itemId\nzoe,3\nann,3\nbob,9\n")
    assert split.test.users.tolist() == [0, 1]
    assert [m for m in caplog.messages if "data.test" in m] == [
        "data.test: 1 rows of users who are not in data.train dropped",
        "1 of 2 rows of data.test are in data.train too: what is measured on them is no prediction",
    ]


def test_ratings_and_times_are_of_all_parts_or_of_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = "user,item,rating,time\n1,2,3,4\n1,5,1,3\n"
    with caplog.at_level(logging.INFO):
        split = read(tmp_path, train=train, test="user,item,time\n1,6,9\n")
    assert split.train.ratings is None
    assert split.train.timestamps is not None
    assert split.train.timestamps.tolist() == [4, 3]
    assert caplog.messages[-1] == "data.test has no ratings: they are used of no part"


def test_repeated_pairs_count_once(tmp_path: Path) -> None:
    train = "user,item,time\n1,2,3\n1,2,5\n1,4,4\n"
    split = read(tmp_path, train=train, test="user,item,time\n1,9,9\n")
    assert split.train.timestamps is not None
    assert split.train.timestamps.tolist() == [5, 4]


@pytest.mark.parametrize(
    ("validation", "how", "rows"),
    [
        (VALIDATION, "split as given", (4, 1, 2)),
        (None, "split as given, validation at random, no times", (2, 2, 2)),
    ],
)
def test_prepared(
    tmp_path: Path, validation: str | None, how: str, rows: tuple[int, int, int]
) -> None:
    texts = {"train": TRAIN, "test": TEST, "candidates": CANDIDATES}
    own = write(tmp_path, **texts, **({} if validation is None else {"validation": validation}))
    source = PartFiles(**own)  # type: ignore[arg-type]
    prepared = prepare("own", source, options(candidates="released"), tmp_path / "cache")
    split = prepared.split
    assert (len(split.train), len(split.validation), len(split.test)) == rows
    assert prepared.how == how
    assert prepared.candidates is not None
    assert prepared.candidates["test"].tolist() == source.read().negatives.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        (
            "user,item\nann,5\nann,9\nbob,8\n",
            "{candidates}: user bob has 1 candidates, and others 2; every user of {test} needs as "
            "many",
        ),
        ("user,item\nann,5\n", "{candidates}: user bob has 0 candidates, and others 1; every"),
        ("user,item\nann,5\nann,5\nbob,8\n", "{candidates}: some user has the same candidate"),
        ("user,thing\nann,5\n", "{candidates}: which column is the item? data.source.item_column="),
    ],
)
def test_candidates_that_can_t_be_used(candidates: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, train=TRAIN, test=TEST, candidates=candidates)
    names = {name: f"{tmp_path}/{name}.csv" for name in ("candidates", "test")}
    assert str(caught.value).startswith(said.format(**names))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^data=parts needs data\.train=FILE and data\.test=FILE;"):
        PartFiles("train.csv", None)
    own = write(tmp_path, train=TRAIN, test=TEST)
    with pytest.raises(UserError, match=r"^data\.validation=/no/such\.csv: no such file$"):
        PartFiles(**own, validation_path="/no/such.csv").fingerprint()  # type: ignore[arg-type]


def test_fingerprint_is_of_all_files_and_columns(tmp_path: Path) -> None:
    own = write(tmp_path, train=TRAIN, test=TEST, validation=VALIDATION, candidates=CANDIDATES)
    paths = (own["train_path"], own["test_path"])
    sources = [
        PartFiles(*paths),
        PartFiles(*reversed(paths)),
        PartFiles(*paths, own["validation_path"]),
        PartFiles(*paths, None, own["candidates_path"]),
        PartFiles(*paths, user_column="itemId"),
    ]
    assert len({source.fingerprint() for source in sources}) == 5
    for name in ("train", "test"):
        pd.read_csv(own[f"{name}_path"]).to_csv(tmp_path / f"{name}2.csv", index=False)
    moved = PartFiles(str(tmp_path / "train2.csv"), str(tmp_path / "test2.csv"), True)
    assert moved.fingerprint() == sources[0].fingerprint()

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src.data.interactions import Interactions
from src.data.sources.file import TableFile
from src.errors import UserError

ALL = {"rating_column": "rating", "timestamp_column": "timestamp"}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Interactions]:
    def read(text: str | bytes, name: str = "r.csv", **options: Any) -> Interactions:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return TableFile(str(path), **options).read()

    return read


def seconds(data: Interactions) -> list[int]:
    assert data.timestamps is not None
    return data.timestamps.tolist()


@pytest.mark.parametrize(
    ("name", "separator", "option"),
    [
        ("r.csv", ",", None),
        ("r.tsv", "\t", None),
        ("r.txt", "\t", None),
        ("r.csv", ";", ";"),
        ("r.tsv", "\t", "\\t"),
        ("r.dat", "::", "::"),
    ],
)
def test_formats(name: str, separator: str, option: str | None, read: Any) -> None:
    text = "title,item,rating,user,timestamp\nx,b,2.5,9,100\ny,a,4,8,90\nz,b,1,8,80\n"
    data = read(text.replace(",", separator), name, separator=option, **ALL)
    assert data.users.tolist() == [0, 1, 1]
    assert data.items.tolist() == [0, 1, 0]
    assert data.user_ids.tolist() == [9, 8]
    assert data.item_ids.tolist() == ["b", "a"]
    assert data.ratings.tolist() == [2.5, 4, 1]
    assert seconds(data) == [100, 90, 80]


def test_one_column_of_parquet_in_two_roles(tmp_path: Path) -> None:
    pd.DataFrame({"user": [5, 6], "item": ["a", "b"]}).to_parquet(tmp_path / "r.parquet")
    options = {"rating_column": "user", "timestamp_column": "user"}
    data = TableFile(str(tmp_path / "r.parquet"), **options).read()
    assert data.user_ids.tolist() == [5, 6]
    assert data.ratings is not None
    assert data.ratings.tolist() == [5, 6]
    assert seconds(data) == [5, 6]


@pytest.mark.parametrize("category", [False, True])
def test_ids_of_bytes(category: bool, tmp_path: Path) -> None:
    items = pd.Series([b"gr\xc3\xb6\xc3\x9fe", b"gr\xf6\xdfe", b"a\0", b"a"])
    frame = pd.DataFrame({"user": [1, 2, 3, 4], "item": items})
    (frame.astype({"item": "category"}) if category else frame).to_parquet(tmp_path / "r.parquet")
    data = TableFile(str(tmp_path / "r.parquet")).read()
    assert data.item_ids.tolist() == ["größe", "gr\\xf6\\xdfe", "a\\x00", "a"]


def test_what_parquet_has_no_numbers_of(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [[1.0], [2.0]]})
    frame.to_parquet(tmp_path / "r.parquet")
    with pytest.raises(UserError, match=r"row 1: rating '\[1.\]' is not a number"):
        TableFile(str(tmp_path / "r.parquet"), rating_column="rating").read()


def test_only_ids(read: Any) -> None:
    data = read("user,item\n1,2\n")
    assert data.ratings is None
    assert data.timestamps is None


def test_packed(tmp_path: Path, read: Any, make_zip: Callable[..., Path]) -> None:
    assert read(gzip.compress(b"user,item\n5,6\n"), "r.csv.gz").item_ids.tolist() == [6]
    path = make_zip({"anything.csv": "user,item\n5,6\n"}, "r.csv.zip")
    assert TableFile(str(path)).read().user_ids.tolist() == [5]


def test_ids_stay_what_they_are(read: Any) -> None:
    data = read("user,item\n007,1\n7,-2\nNA,99999999999\n nan,1\n")
    assert data.user_ids.tolist() == ["007", "7", "NA", " nan"]
    assert data.item_ids.tolist() == [1, -2, 99999999999]
    assert data.item_ids.dtype.kind == "i"


def test_ids_of_a_long_file_are_one_column_not_pieces(read: Any) -> None:
    # pandas reads in pieces: ids that are new in a later one keep the order of first appearance
    rows = "".join(f"{90_000 - row},{row % 7}\n" for row in range(60_000))
    data = read(f"user,item\n{rows}x,3\n90000,y\n")
    assert data.users.tolist() == [*range(60_000), 60_000, 0]
    assert data.user_ids[[0, 59_999, 60_000]].tolist() == ["90000", "30001", "x"]
    assert data.item_ids.tolist() == ["0", "1", "2", "3", "4", "5", "6", "y"]


def test_latin_1_names_stay_distinct_and_a_byte_order_mark_is_no_name(read: Any) -> None:
    data = read("user,item\n\xe9,1\n\xe8,1\n".encode("latin-1"))
    assert data.user_ids.tolist() == ["\\xe9", "\\xe8"]
    assert read("\ufeffuser,item\né,1\n").user_ids.tolist() == ["é"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["5", "1.9", "1e3"], [5, 1, 1000]),
        (["1970-01-02", "1970-01-01T00:00:01", "1970-01-01 01:00:02+01:00"], [86400, 1, 2]),
    ],
)
def test_timestamps(written: list[str], expected: list[int], read: Any) -> None:
    text = "user,item,timestamp\n" + "".join(f"1,2,{value}\n" for value in written)
    assert seconds(read(text, timestamp_column="timestamp")) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " is empty"),
        ("\n \n", " is empty"),
        ("user,item,rating,timestamp\n", " has no rows below its header"),
        (
            "user;item;rating\n1;2;3\n",
            ", line 1: only one column when split at ',': it looks separated by ';' "
            "(data=file data.source.separator reads that)",
        ),
        (
            "timestamp,User,items,rating\n1,2,3,4\n",
            ": which column is the item? data.source.item_column=NAME says it, of 'timestamp', "
            "'User', 'items', 'rating'",
        ),
        ("user,item,rating,timestamp\n1,2,3,4\n,2,3,4\n", ", line 3: no user"),
        ("user,item,rating,timestamp\n1,2,3,4\n\n1,,3,4\n", ", line 4: no item"),
        (
            "user,item,rating,timestamp\n1,2,3,4\n1,2,five,4\n",
            ", line 3: rating 'five' is not a number",
        ),
        ("user,item,rating,timestamp\n1,2,inf,4\n", ", line 2: rating 'inf' is not a number"),
        ("user,item,rating,timestamp\n1,2,3,4\n1,2\n", ", line 3: no rating"),
        (
            "user,item,rating,timestamp\n1,2,3,4\n1,2,3,now\n",
            ", line 3: timestamp 'now' is not a number",
        ),
        (
            "user,item,rating,timestamp\n1,2,3,2020-01-01\n1,2,3,2020-13-01\n",
            ", line 3: timestamp '2020-13-01' is neither a number nor an ISO 8601 date-time",
        ),
        ('user,item,rating,timestamp\n"a\nb",2,x,4\n', ", line 3: rating 'x' is not a number"),
        ('user,item,rating,timestamp\n"a,2,x,4\n', " can't be parsed: Error tokenizing data"),
        ("x" * 200_000, " is no delimited text: field larger than field limit (131072)"),
    ],
)
def test_malformed_text(text: str, problem: str, tmp_path: Path, read: Any) -> None:
    with pytest.raises(UserError) as caught:
        read(text, **ALL)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'r.csv'}{problem}")
    assert "\n" not in said


def test_unusable_options(tmp_path: Path, read: Any) -> None:
    with pytest.raises(UserError, match=r"^data=file needs data\.path=<your \.csv"):
        TableFile(None)
    with pytest.raises(UserError, match=r"^separator ', ': only one character, or '::', can"):
        TableFile("r.csv", separator=", ")
    with pytest.raises(UserError, match=r"^data\.path=/no/such\.csv: no such file$"):
        TableFile("/no/such.csv").fingerprint()
    with pytest.raises(UserError, match=r"the ending tells no format; name it \.csv, \.tsv, \.par"):
        read("user,item\n1,2\n", "ratings")


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    frame = pd.DataFrame(
        {
            "user": ["b", "a", "b"],
            "item": [30, 10, 10],
            "rating": [1, 2, 3],
            "timestamp": [datetime(1970, 1, 1, 0, 0, s, tzinfo=UTC) for s in (7, 8, 9)],
            "day": [date(1970, 1, d) for d in (1, 2, 3)],
            "naive": pd.to_datetime(["1970-01-01 00:00:05"] * 3),
        }
    )
    frame.to_parquet(path)
    data = TableFile(str(path), **ALL).read()  # type: ignore[arg-type]
    assert data.users.tolist() == [0, 1, 0]
    assert data.user_ids.tolist() == ["b", "a"]
    assert data.item_ids.tolist() == [30, 10]
    assert data.ratings is not None
    assert data.ratings.tolist() == [1, 2, 3]
    assert seconds(data) == [7, 8, 9]
    assert seconds(TableFile(str(path), timestamp_column="day").read()) == [0, 86400, 172800]
    assert seconds(TableFile(str(path), timestamp_column="naive").read()) == [5, 5, 5]
    with pytest.raises(UserError) as caught:
        TableFile(str(path), user_column="users").read()
    said = str(caught.value)
    assert said.startswith(f"{path} has no column 'users', only 'user', ")
    assert said.endswith(": see data.source.user_column")


def test_parquet_with_gaps_without_rows_and_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pd.DataFrame({"user": [1, None], "item": [1, 2]}).to_parquet(path)
    with pytest.raises(UserError) as caught:
        TableFile(str(path)).read()
    assert str(caught.value) == f"{path}, row 2: no user"
    pd.DataFrame({"user": [], "item": []}).to_parquet(path)
    with pytest.raises(UserError) as caught:
        TableFile(str(path)).read()
    assert str(caught.value) == f"{path} has no rows"
    path.write_text("user,item\n1,2\n")
    with pytest.raises(UserError) as caught:
        TableFile(str(path)).read()
    assert str(caught.value).startswith(f"{path} can't be read as Parquet: ")
    assert "\n" not in str(caught.value)


def test_fingerprint_is_of_content_and_options(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("user,item,rating\n1,2,3\n")
    a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    assert TableFile(a).fingerprint() == TableFile(b).fingerprint()
    others = [
        TableFile(a, rating_column=None),
        TableFile(a, item_column="rating"),
        TableFile(a, separator=","),
    ]
    assert len({source.fingerprint() for source in [TableFile(a), *others]}) == 4
    # a column is the same, told or found
    assert TableFile(a).fingerprint() == TableFile(a, rating_column="rating").fingerprint()


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (
            "userId,movieId,rating,timestamp",
            "user from userId, item from movieId, rating from rating (for data.threshold and "
            "losses on ratings only), timestamp from timestamp",
        ),
        (
            "title,Stars,parent_asin,USER-ID",
            "user from USER-ID, item from parent_asin, rating from Stars (for data.threshold and "
            "losses on ratings only)",
        ),
        ("ts,item_id,text,user_id", "user from user_id, item from item_id, timestamp from ts"),
        ("artist_id,user,song_id,x", "user from user, item from song_id"),
    ],
)
def test_columns_are_found_by_their_names(
    header: str, taken: str, read: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        data = read(f"{header}\n1,2,3,4\n")
    assert caplog.messages == [f"r.csv: {taken}"]
    place = {name: n for n, name in enumerate(header.split(","), 1)}
    names = dict(one.split(" (")[0].split(" from ") for one in taken.split(", "))
    assert data.user_ids.tolist() == [place[names["user"]]]
    assert data.item_ids.tolist() == [place[names["item"]]]
    assert (data.ratings is None) == ("rating" not in names)
    assert (data.timestamps is None) == ("timestamp" not in names)


def test_times_that_are_not_used_are_told_of(read: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        data = read(
            "user,item,date\n1,2,2020-01-01\n",
            **{"user_column": "user", "item_column": "item", "timestamp_column": None},
        )
    assert data.timestamps is None
    assert caplog.messages == [
        "r.csv: column date looks like times and is not used, because of "
        "data.source.timestamp_column=null"
    ]


def test_a_found_column_of_other_things_can_be_left_out(tmp_path: Path, read: Any) -> None:
    text = "user,item,rating\n1,2,PG-13\n"
    with pytest.raises(UserError) as caught:
        read(text)
    assert str(caught.value) == (
        f"{tmp_path}/r.csv, line 2: rating 'PG-13' is not a number; "
        "data.source.rating_column=null leaves these out"
    )
    assert read(text, rating_column=None).ratings is None


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.json.gz"])
def test_json(name: str, tmp_path: Path, read: Any) -> None:
    rows = [
        '{"user": "007", "item": 30, "stars": 4.5, "ts": 9}',
        '{"user": "7", "item": 10, "stars": 1, "ts": 8}',
    ]
    text = "\n".join(rows) if name == "r.jsonl" else f"[{','.join(rows)}]"
    data = read(gzip.compress(text.encode()) if name.endswith(".gz") else text, name)
    assert data.user_ids.tolist() == ["007", "7"]
    assert data.item_ids.tolist() == [30, 10]
    assert data.ratings.tolist() == [4.5, 1]
    assert seconds(data) == [9, 8]
    with pytest.raises(UserError, match=r"can't be read as JSON records: "):
        read("[1", "broken.json")
    with pytest.raises(UserError, match=r"record 2: no item"):
        read('[{"user": 1, "item": 2}, {"user": 1}]', "gap.json")

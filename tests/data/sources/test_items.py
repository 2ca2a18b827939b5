"""Tables of what items are called, in the formats that are published and in users' own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from src.data.sources.items import read_items
from src.data.sources.side_table import SideTable
from src.errors import UserError


def rows(file: SideTable) -> list[tuple[object, ...]]:
    return list(read_items(file).itertuples(name=None))


def test_movies_dat(tmp_path: Path) -> None:
    file = tmp_path / "movies.dat"
    file.write_bytes(
        "1::Toy Story (1995)::Animation|Comedy\n2::Les Misérables::Drama\n".encode("latin-1")
    )
    assert rows(SideTable(file)) == [
        ("1", "Toy Story (1995)", "Animation|Comedy"),
        ("2", "Les Misérables", "Drama"),
    ]


def test_movies_csv_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("ml/movies.csv", 'movieId,title,genres\n7,"Sabrina, 1995",Comedy\n')
    assert rows(SideTable(tmp_path / "ml.zip", "ml/movies.csv")) == [
        ("7", "Sabrina, 1995", "Comedy")
    ]


def test_u_item(tmp_path: Path) -> None:
    flags = "|".join("1" if place in (3, 4) else "0" for place in range(19))
    (tmp_path / "u.item").write_text(f"1|Toy Story (1995)|01-Jan-1995||http://x|{flags}\n")
    assert rows(SideTable(tmp_path / "u.item")) == [
        ("1", "Toy Story (1995)", "Animation|Children's")
    ]


def test_a_table_of_one_s_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"item_id": ["b", "a", "b"], "name": ["Bee", "Ay", "again"]})
    table.to_parquet(tmp_path / "items.parquet")
    table.to_csv(tmp_path / "items.tsv", sep="\t", index=False)
    for name in ("items.parquet", "items.tsv"):
        assert rows(SideTable(tmp_path / name)) == [("b", "Bee", ""), ("a", "Ay", "")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("items.csv", b"x,title\n1,One\n", "has no column item"),
        ("items.csv", b"item,y\n1,One\n", "has no column title"),
        ("items.csv", b"", "can't be read as a table of items"),
        ("items.parquet", b"PAR1", "can't be read as a table of items"),
    ],
)
def test_what_is_no_such_table(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_items(SideTable(tmp_path / name))
    with pytest.raises(UserError, match="can't be read: No such file"):
        read_items(SideTable(tmp_path / "other.csv"))

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from src.data.sources.archives import open_unpacked
from src.errors import UserError


def read(path: Path, member: str | None = None) -> bytes:
    with open_unpacked(path, member) as file:
        return file.read()


def test_plain_gz_and_zip_give_the_same_bytes(
    tmp_path: Path, make_zip: Callable[..., Path]
) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,2\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"1,2\n"))
    assert read(tmp_path / "a.csv") == b"1,2\n"
    assert read(tmp_path / "a.csv.gz") == b"1,2\n"
    assert read(make_zip({"a.csv": "1,2\n"})) == b"1,2\n"
    assert read(make_zip({"d/": "", "d/a.csv": "1,2\n", "b": ""}), "d/a.csv") == b"1,2\n"


def test_a_member_that_points_outside_writes_nothing(
    tmp_path: Path, make_zip: Callable[..., Path]
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    archive = make_zip({"../evil": "x", "/evil": "x", "good": "y"}, "inner/made.zip")
    assert read(archive, "good") == b"y"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["inner", "made.zip"]
    assert not Path("/evil").exists()


def test_missing_member(make_zip: Callable[..., Path]) -> None:
    path = make_zip({"a": "", "b": ""})
    with pytest.raises(UserError) as caught:
        read(path, "c")
    assert str(caught.value) == f"{path} has no c in it, only a, b"
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == f"{path} holds 2 files: unpack it, data.path names one file"


@pytest.mark.parametrize("name", ["a.zip", "a.gz"])
def test_no_archive_at_all(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"is damaged \(.*\): delete it and get it again$"):
        read(path)


def test_damage_in_the_middle(tmp_path: Path, make_zip: Callable[..., Path]) -> None:
    path = make_zip({"a": "12345678"})
    path.write_bytes(path.read_bytes().replace(b"12345678", b"12345679"))
    with pytest.raises(UserError, match=rf"^{re.escape(str(path))} is damaged \(Bad CRC-32"):
        read(path)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"12345678" * 100)[:-10])
    with pytest.raises(UserError, match="is damaged"):
        read(cut)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't be read: Is a directory$"):
        read(tmp_path)

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from src.data.sources.movielens import RELEASES, MovieLens
from src.errors import UserError

if TYPE_CHECKING:
    from tests.data.sources.conftest import Server

DAT = "7::30::5::978300760\n3::10::3::978302109\n7::10::4::978301968\n"
CSV = (
    "userId,movieId,rating,timestamp\n7,30,5.0,978300760\n3,10,3.0,978302109\n7,10,4.0,978301968\n"
)
TEXTS = {
    "ml-100k": DAT.replace("::", "\t"),
    "ml-1m": DAT,
    "ml-10m": DAT,
    "ml-20m": CSV,
    "ml-25m": CSV,
    "ml-32m": CSV,
}


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a release of a small archive, served at the given addresses."""

    def pin(release: str, archive: bytes, urls: tuple[str, ...] = ()) -> None:
        digest = hashlib.sha256(archive).hexdigest()
        changed = replace(RELEASES[release], sha256=digest, urls=urls or RELEASES[release].urls)
        monkeypatch.setitem(RELEASES, release, changed)

    return pin


def message(source: MovieLens) -> str:
    with pytest.raises(UserError) as caught:
        source.read()
    text = str(caught.value)
    assert "\n" not in text
    return text


def check(source: MovieLens) -> None:
    data = source.read()
    assert data.users.tolist() == [0, 1, 0]
    assert data.items.tolist() == [0, 1, 1]
    assert data.users.dtype == data.items.dtype == np.int32
    assert data.user_ids.tolist() == [7, 3]
    assert data.item_ids.tolist() == [30, 10]
    assert data.ratings is not None
    assert data.timestamps is not None
    assert data.ratings.tolist() == [5, 3, 4]
    assert data.ratings.dtype == np.float32
    assert data.timestamps.tolist() == [978300760, 978302109, 978301968]
    assert data.timestamps.dtype == np.int64


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_from_folder_and_archive(
    release: Any,
    tmp_path: Path,
    make_zip: Callable[..., Path],
    pinned: Callable[..., None],
) -> None:
    member, text = RELEASES[release].ratings, TEXTS[release]
    archive = make_zip({"ml/README": "", member: text}, f"{release}.zip")
    pinned(release, archive.read_bytes())
    check(MovieLens(release, root=str(tmp_path)))
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]  # nothing written beside it

    unpacked = tmp_path / "unpacked" / member
    unpacked.parent.mkdir(parents=True)
    unpacked.write_text(text)
    check(MovieLens(release, root=str(tmp_path / "unpacked")))
    for path in (archive, unpacked, unpacked.parent, tmp_path / "unpacked"):
        check(MovieLens(release, root="/nowhere", path=str(path)))


def test_folder_named_as_the_release_and_folder_of_any_name_below_path(tmp_path: Path) -> None:
    for name in ("ml-10m", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ratings.dat").write_text(DAT)
    check(MovieLens("ml-10m", root=str(tmp_path)))
    check(MovieLens("ml-10m", root="/nowhere", path=str(tmp_path)))
    text = message(MovieLens("ml-1m", root="/nowhere", path=str(tmp_path)))
    assert text == (
        f"data.path={tmp_path}: no ratings.dat of ml-1m there or one folder below, "
        f"but more than one: {tmp_path}/ml-10m/ratings.dat, {tmp_path}/other/ratings.dat"
    )
    (tmp_path / "ml-10m" / "ratings.dat").unlink()
    check(MovieLens("ml-1m", root="/nowhere", path=str(tmp_path)))


def test_download_falls_back_to_the_second_mirror_and_is_kept(
    server: Server, tmp_path: Path, make_zip: Callable[..., Path], pinned: Callable[..., None]
) -> None:
    archive = make_zip({"ml-1m/ratings.dat": DAT}).read_bytes()
    server.files["/mirror/ml-1m.zip"] = archive
    pinned("ml-1m", archive, (f"{server.url}/ml-1m.zip", f"{server.url}/mirror/ml-1m.zip"))
    root = tmp_path / "data"
    check(MovieLens("ml-1m", root=str(root)))
    check(MovieLens("ml-1m", root=str(root)))
    assert server.requests == ["/ml-1m.zip", "/mirror/ml-1m.zip"]
    assert (root / "ml-1m.zip").read_bytes() == archive


def test_nowhere_and_offline(server: Server, tmp_path: Path, pinned: Callable[..., None]) -> None:
    pinned("ml-1m", b"", (f"{server.url}/ml-1m.zip",))
    text = message(MovieLens("ml-1m", root=str(tmp_path)))
    assert text.startswith(
        f"no ml-1m here: put {server.url}/ml-1m.zip at {tmp_path}/ml-1m.zip "
        "(download failed: 127.0.0.1: 404 "
    )
    assert text.endswith("), or try data=synthetic, which needs no download")
    assert not (tmp_path / "ml-1m.zip").exists()


def test_archive_in_root_that_is_another(tmp_path: Path, make_zip: Callable[..., Path]) -> None:
    archive = make_zip({"ml-1m/ratings.dat": DAT}, "ml-1m.zip")
    got = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert message(MovieLens("ml-1m", root=str(tmp_path))) == (
        f"{archive} is not ml-1m as released: SHA-256 expected {RELEASES['ml-1m'].sha256}, "
        f"got {got}; delete it to download it again, or read it as it is with data.path"
    )
    check(MovieLens("ml-1m", root="/nowhere", path=str(archive)))


def test_corrupt_archive_and_missing_member(tmp_path: Path, make_zip: Callable[..., Path]) -> None:
    empty = make_zip({"ml-1m/movies.dat": ""}, "empty.zip")
    assert message(MovieLens("ml-1m", root="/nowhere", path=str(empty))) == (
        f"{empty} has no ml-1m/ratings.dat in it, only ml-1m/movies.dat"
    )
    corrupt = make_zip({"ml-1m/ratings.dat": DAT}, "corrupt.zip")
    corrupt.write_bytes(corrupt.read_bytes().replace(b"978302109", b"978302108"))
    assert message(MovieLens("ml-1m", root="/nowhere", path=str(corrupt))) == (
        f"{corrupt} is damaged (Bad CRC-32 for file 'ml-1m/ratings.dat'): "
        "delete it and get it again"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", " is empty"),
        ("1,2,3,4\n", ", line 1: only one column when split at '::': it looks separated by ','"),
        ("1::2::3\n", ", line 1: 3 columns when split at '::', 4 needed (user, item, rating, time"),
        ("1::2::3::4\n1::2::3\n", ", line 2: no timestamp"),
        ("1::2::3::4\n\nx::2::3::4\n", ", line 3: user 'x' is not an integer"),
        ("1::2::3::4\n1::2.5::3::4\n", ", line 2: item '2.5' is not an integer"),
        ("1::2::3::4\n1::2::good::4\n", ", line 2: rating 'good' is not a number"),
        ("1::2::3::4\n1::2::::4\n", ", line 2: no rating"),
        ("1::2::3::4\n1::2::3::late\n", ", line 2: timestamp 'late' is not a number"),
    ],
)
def test_malformed_ratings(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "ratings.dat"
    path.write_text(text)
    said = message(MovieLens("ml-1m", root="/nowhere", path=str(path)))
    assert said.startswith(f"{path}{problem}")


@pytest.mark.parametrize("field", ["user", "item", "rating", "timestamp"])
def test_one_bad_value_far_down(field: str, tmp_path: Path) -> None:
    # pandas reads in pieces: here the first are all integers, only the last is text
    fields = ["user", "item", "rating", "timestamp"]
    bad = "::".join("bad" if name == field else "1" for name in fields)
    path = tmp_path / "ratings.dat"
    path.write_text("1::2::3::978300760\n" * 100_000 + bad + "\n1::2::3::4\n")
    said = message(MovieLens("ml-1m", root="/nowhere", path=str(path)))
    assert said.startswith(f"{path}, line 100001: {field} 'bad' is not a")


def test_line_inside_an_archive_and_csv_without_its_header(
    tmp_path: Path, make_zip: Callable[..., Path]
) -> None:
    path = make_zip({"ml-20m/ratings.csv": CSV + "1,2,?,4\n"})
    assert message(MovieLens("ml-20m", root="/nowhere", path=str(path))) == (
        f"ml-20m/ratings.csv in {path}, line 5: rating '?' is not a number"
    )
    csv = tmp_path / "ratings.csv"
    csv.write_text("1,2,3,4\n")
    assert message(MovieLens("ml-20m", root="/nowhere", path=str(csv))) == (
        f"{csv} has no column 'userId', only '1', '2', '3', '4'"
    )


def test_unknown_release_and_path() -> None:
    with pytest.raises(UserError, match=r"^no MovieLens release 'ml-2m': choose from ml-100k, "):
        MovieLens("ml-2m", root="")  # type: ignore[arg-type]
    assert message(MovieLens("ml-1m", root="", path="/no/such")) == (
        "data.path=/no/such: no such file or folder"
    )


def test_fingerprint_is_of_content_and_release(tmp_path: Path) -> None:
    a, b = tmp_path / "a.dat", tmp_path / "b.dat"
    a.write_text(DAT)
    b.write_text(DAT)
    one = MovieLens("ml-1m", "/x", str(a)).fingerprint()
    assert re.fullmatch("[0-9a-f]{64}", one)
    assert one == MovieLens("ml-1m", "/y", str(b)).fingerprint()
    assert one != MovieLens("ml-10m", "/x", str(a)).fingerprint()
    b.write_text(DAT.replace("5", "4"))
    assert one != MovieLens("ml-1m", "/x", str(b)).fingerprint()


def test_real_ml_100k(shared_data: Path) -> None:
    data = MovieLens("ml-100k", root=str(shared_data)).read()
    assert (len(data), data.n_users, data.n_items) == (100_000, 943, 1_682)
    assert (data.user_ids[0], data.item_ids[0]) == (196, 242)


def test_real_first_users_of_ml_1m(shared_data: Path) -> None:
    folder = shared_data / "ml-1m-first-2998-users"
    data = MovieLens("ml-1m", root="/nowhere", path=str(folder)).read()
    assert (len(data), data.n_users) == (487_515, 2_998)
    assert data.user_ids.tolist() == list(range(1, 2_999))
    assert data.item_ids[:3].tolist() == [1193, 661, 914]

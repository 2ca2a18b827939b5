from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from src.data.sources import released
from src.data.sources.checksums import git_blob_id
from src.data.sources.released import FILES, ReleasedNCF
from src.errors import UserError

if TYPE_CHECKING:
    from tests.data.sources.conftest import Server

TRAIN = "0\t0\t4\t50\n0\t2\t3\t60\n1\t1\t5\t40\n"
TEST = "0\t1\t5\t70\n1\t3\t2\t80\n"
NEGATIVE = "(0,1)\t3\t4\n(1,3)\t0\t2\n"


def write(folder: Path, train: str = TRAIN, test: str = TEST, negative: str = NEGATIVE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in zip(FILES["ml-1m"], (train, test, negative), strict=True):
        (folder / file).write_text(text)


def message(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        ReleasedNCF("ml-1m", root="/nowhere", path=str(folder)).read()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_ids_are_kept_and_counted_over_all_three_files(tmp_path: Path) -> None:
    write(tmp_path)
    split = ReleasedNCF("ml-1m", root="/nowhere", path=str(tmp_path)).read()
    assert split.train.users.tolist() == [0, 0, 1]
    assert split.train.items.tolist() == [0, 2, 1]
    assert split.test.users.tolist() == [0, 1]
    assert split.test.items.tolist() == [1, 3]
    assert split.negatives.tolist() == [[3, 4], [0, 2]]
    for array in (split.train.users, split.test.items, split.negatives):
        assert array.dtype == np.int32
    assert split.train.user_ids.tolist() == split.test.user_ids.tolist() == [0, 1]
    assert split.train.item_ids.tolist() == split.test.item_ids.tolist() == [0, 1, 2, 3, 4]
    assert split.train.ratings is not None
    assert split.train.timestamps is not None
    assert split.train.ratings.tolist() == [4, 3, 5]
    assert split.train.timestamps.tolist() == [50, 60, 40]


@pytest.mark.parametrize("columns", [2, 3])
def test_fewer_columns(columns: int, tmp_path: Path) -> None:
    lines = ["\t".join(line.split("\t")[:columns]) + "\n" for line in TRAIN.splitlines()]
    write(tmp_path, train="".join(lines))
    train = ReleasedNCF("ml-1m", root="/nowhere", path=str(tmp_path)).read().train
    assert train.users.tolist() == [0, 0, 1]
    assert (train.ratings is None) == (columns == 2)
    assert train.timestamps is None


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"test": "0\t1\n5\t3\n"}, "{test}, line 2: user 5 is not in {train}"),
        ({"train": "0\t0\n0\tx\n"}, "{train}, line 2: item 'x' is not an integer"),
        ({"train": "0\t0\n-1\t0\n"}, "{train}, line 2: user '-1' is not an id that counts from 0"),
        ({"train": "0\t0\n0\n"}, "{train}, line 2: no item"),
        ({"train": "0 0 4\n"}, "{train}, line 1: only one column when split at '\\t': it looks"),
        ({"test": "0\t1\n"}, "{negative} has 2 lines, but there are 1 test pairs"),
        (
            {"negative": "(0,1)\t3\t4\n(1,2)\t0\t2\n"},
            "{negative}, line 2: negatives of (1,2), but the test pair is (1,3)",
        ),
        ({"negative": "(0,1)\t3\t4\n(1,3)\t0\n"}, "{negative}, line 2: 1 negatives, 2 in line 1"),
        (
            {"negative": "(0,1)\t3\t4\n(1,3)\t0\tx\n"},
            "{negative}, line 2: not (user,item) and negatives: '(1,3)\\t0\\tx'",
        ),
        ({"negative": "0\t3\t4\n(1,3)\t0\t1\n"}, "{negative}, line 1: not (user,item) and"),
        # one mistyped id would need as many rows of everything
        (
            {"train": "0\t0\n0\t999999999\n"},
            "{train}, line 2: item '999999999' is not an id that counts from 0",
        ),
        (
            {"negative": "(0,1)\t3\t999999999\n(1,3)\t0\t2\n"},
            "{negative}: item 999999999 is not an id that counts from 0",
        ),
    ],
)
def test_malformed(files: dict[str, str], problem: str, tmp_path: Path) -> None:
    write(tmp_path, **files)
    names = {part: f"{tmp_path}/ml-1m.{part}.rating" for part in ("train", "test")}
    names["negative"] = f"{tmp_path}/ml-1m.test.negative"
    assert message(tmp_path).startswith(problem.format(**names))


def test_windows_line_ends(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "ml-1m.test.negative").write_bytes(NEGATIVE.replace("\n", "\r\n").encode())
    split = ReleasedNCF("ml-1m", root="/nowhere", path=str(tmp_path)).read()
    assert split.negatives.tolist() == [[3, 4], [0, 2]]


def test_missing_files_are_downloaded_and_checked(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(tmp_path / "origin")
    blobs = {file: git_blob_id(tmp_path / "origin" / file) for file in FILES["ml-1m"]}
    monkeypatch.setattr(released, "DATA", server.url)
    monkeypatch.setitem(FILES, "ml-1m", blobs)
    for file in blobs:
        server.files[f"/{file}"] = (tmp_path / "origin" / file).read_bytes()
    source = ReleasedNCF("ml-1m", root=str(tmp_path / "root"))
    with caplog.at_level(logging.WARNING):
        assert len(source.read().train) == 3
        assert source.fingerprint() == ReleasedNCF("ml-1m", str(tmp_path / "root")).fingerprint()
    assert server.requests == [f"/{file}" for file in blobs]
    assert (tmp_path / "root" / "ncf-ml-1m" / "ml-1m.train.rating").read_text() == TRAIN
    assert not caplog.records


def test_offline_says_which_files_go_where(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "DATA", server.url)
    with pytest.raises(UserError) as caught:
        ReleasedNCF("pinterest-20", root=str(tmp_path)).fingerprint()
    assert str(caught.value).startswith(
        f"no pinterest-20.train.rating here: put {server.url}/pinterest-20.train.rating, "
        f"{server.url}/pinterest-20.test.rating, {server.url}/pinterest-20.test.negative "
        f"in {tmp_path}/ncf-pinterest (download failed: "
    )


def test_file_missing_in_path_is_not_downloaded(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "ml-1m.test.rating").unlink()
    assert message(tmp_path) == f"data.path={tmp_path}: no ml-1m.test.rating there"


def test_local_file_that_differs_is_used_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path)
    with caplog.at_level(logging.WARNING):
        ReleasedNCF("ml-1m", root="/nowhere", path=str(tmp_path)).fingerprint()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / file} differs from the released file: results may differ too"
        for file in FILES["ml-1m"]
    ]


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ("0\t0\n0\t1\n", "no times, so a user's latest interaction is not known"),
        (
            "0\t0\t1\n0\t1\t1\r\n",
            "no times, so a user's latest interaction is not known; every rating is 1",
        ),
        ("0\t0\t1\n0\t1\t5\n", "no times, so a user's latest interaction is not known"),
        ("0\t0\t4\t7\n0\t1\t1\t8\n", "results may differ too"),
    ],
)
def test_what_a_file_lacks_is_said(
    lines: str, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path)
    file = tmp_path / "ml-1m.train.rating"
    file.write_text(lines)
    with caplog.at_level(logging.WARNING):
        ReleasedNCF("ml-1m", root="/nowhere", path=str(tmp_path)).fingerprint()
    assert caplog.messages[0] == f"{file} differs from the released file: {how}"


def test_unknown_name() -> None:
    with pytest.raises(
        UserError, match=r"^no released split 'x': choose from ml-1m, pinterest-20$"
    ):
        ReleasedNCF("x", root="")  # type: ignore[arg-type]


def test_real_ml_1m(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = ReleasedNCF("ml-1m", root=str(shared_data)).read()
    assert (len(split.train), len(split.test)) == (994_169, 6_040)
    assert (split.train.n_users, split.train.n_items) == (6_040, 3_706)
    assert split.negatives.shape == (6_040, 99)
    assert (split.negatives == split.test.items[:, None]).any(axis=1).sum() == 156
    assert len(np.setdiff1d(split.test.items, split.train.items)) == 2
    assert split.negatives[0, :3].tolist() == [1064, 174, 2791]
    assert split.test.timestamps is not None
    assert split.test.timestamps[0] == 978824351
    assert split.train.timestamps is None
    assert [r.getMessage().split("/")[-1].split()[0] for r in caplog.records] == [
        "ml-1m.train.rating"
    ]

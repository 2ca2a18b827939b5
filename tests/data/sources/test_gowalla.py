from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from src.data.sources import gowalla
from src.data.sources.checksums import md5, sha256
from src.data.sources.gowalla import FILES, Gowalla
from src.errors import UserError

if TYPE_CHECKING:
    from tests.data.sources.conftest import Server

# 7 had 10, 11 and 12 and went on to 40 and 10; 9 went nowhere
TRAIN = "7 11 10 12\n9 10 30\n8 30\n"
TEST = "7 40 10\n8 12 \n9 \n"


def write(folder: Path, train: str = TRAIN, test: str = TEST) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in zip(FILES, (train, test), strict=True):
        (folder / file).write_text(text)
    return folder


def test_lines_of_a_user_and_items(tmp_path: Path) -> None:
    split = Gowalla("/nowhere", str(write(tmp_path))).read()
    raw = split.train
    assert raw.user_ids[raw.users].tolist() == [7, 7, 7, 8, 9, 9]
    assert raw.item_ids[raw.items].tolist() == [10, 11, 12, 30, 10, 30]
    assert raw.item_ids[split.test.items].tolist() == [10, 40, 12]
    assert raw.user_ids[split.test.users].tolist() == [7, 7, 8]
    assert (raw.n_users, raw.n_items) == (3, 5)
    assert split.test.item_ids is raw.item_ids
    assert split.train.users.dtype == split.test.items.dtype == np.int32
    assert (split.negatives, split.train.timestamps) == (None, None)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("7 x\n", TEST, "{train}, line 1: not a user and items: '7 x'"),
        (f"7 1\n7 {2**70}\n", TEST, "{train}, line 2: not a user and items: '7 1180"),
        ("", TEST, "{train} has no interactions"),
        (TRAIN, "7 \n", "{test} has no interactions"),
        (TRAIN, "5 10\n", "{test}: user 5 is not in {train}"),
    ],
)
def test_malformed(train: str, test: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, train, test)
    with pytest.raises(UserError) as caught:
        Gowalla("/nowhere", str(tmp_path)).read()
    names = {"train": f"{tmp_path}/train.txt", "test": f"{tmp_path}/test.txt"}
    assert str(caught.value).startswith(said.format(**names))


def test_missing_files_are_downloaded_and_their_checksums_kept(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    origin = write(tmp_path / "origin")
    known = {file: md5(origin / file) for file in FILES}
    monkeypatch.setattr(gowalla, "FILES", known)
    monkeypatch.setattr(gowalla, "MIRRORS", (f"{server.url}/gone", server.url))
    for file in FILES:
        server.files[f"/{file}"] = (origin / file).read_bytes()
    root, digest = tmp_path / "root", sha256(origin / "train.txt")
    with caplog.at_level(logging.INFO):
        fingerprint = Gowalla(str(root)).fingerprint()
    assert f"its SHA-256 is {digest}, kept in train.txt.sha256" in caplog.messages
    assert not any("differs" in message for message in caplog.messages)
    assert (root / "gowalla" / "train.txt.sha256").read_text() == f"{digest}  train.txt\n"
    assert fingerprint == Gowalla("/nowhere", str(origin)).fingerprint()
    requests = len(server.requests)
    assert Gowalla(str(root)).read().train.n_items == 5
    assert len(server.requests) == requests

    # another file under its name is not taken, neither from the disk nor from a mirror
    (root / "gowalla" / "train.txt").write_text("7 11\n")
    with pytest.raises(UserError, match=r"train\.txt is not the file that was downloaded, whose"):
        Gowalla(str(root)).fingerprint()
    (root / "gowalla" / "train.txt").unlink()
    server.files["/train.txt"] = b"7 11\n"
    with pytest.raises(UserError, match="checksum mismatch, expected"):
        Gowalla(str(root)).fingerprint()


def test_files_that_others_don_t_have_are_used_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "gowalla")
    with caplog.at_level(logging.WARNING):
        Gowalla(str(tmp_path)).fingerprint()
    assert caplog.messages == [
        f"{folder / file} differs from the file that others have: results may too" for file in FILES
    ]
    (folder / "test.txt").unlink()
    with pytest.raises(UserError, match=r"^data\.path=.*: no test\.txt there$"):
        Gowalla("/nowhere", str(folder)).fingerprint()


def test_offline_says_which_files_go_where(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gowalla, "MIRRORS", (server.url,))
    with pytest.raises(UserError) as caught:
        Gowalla(str(tmp_path)).fingerprint()
    assert str(caught.value).startswith(
        f"no train.txt here: put train.txt, test.txt of {server.url} in {tmp_path}/gowalla "
        "(download failed: "
    )

from __future__ import annotations

from pathlib import Path

from src.data.sources.checksums import fingerprint, git_blob_id, sha256


def test_hashes_known_from_sha256sum_and_git_hash_object(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert sha256(path) == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert git_blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_fingerprint_is_of_content_order_and_options_not_of_names(tmp_path: Path) -> None:
    a, b, copy = tmp_path / "a", tmp_path / "b", tmp_path / "copy"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    copy.write_bytes(b"1")
    assert fingerprint([a, b], x="y") == fingerprint([copy, b], x="y")
    assert len({fingerprint([a, b]), fingerprint([b, a]), fingerprint([a, b], x="y")}) == 3

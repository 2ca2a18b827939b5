from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from src.data.sources import download as module
from src.data.sources.checksums import sha256
from src.data.sources.download import download
from src.errors import UserError

if TYPE_CHECKING:
    from tests.data.sources.conftest import Server

CONTENT = b"ratings" * 50_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def get(urls: list[str], target: Path) -> None:
    download(urls, target, sha256, DIGEST, "no data here: put it there")


def test_first_mirror_is_enough_and_only_the_file_and_its_lock_remain(
    server: Server, tmp_path: Path
) -> None:
    server.files["/a"] = CONTENT
    get([f"{server.url}/a", f"{server.url}/b"], tmp_path / "new" / "a.zip")
    assert (tmp_path / "new" / "a.zip").read_bytes() == CONTENT
    assert server.requests == ["/a"]
    assert {p.name for p in (tmp_path / "new").iterdir()} <= {"a.zip", "a.zip.lock"}


def test_a_404_a_bad_checksum_and_a_cut_transfer_each_move_on_to_the_next_mirror(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.files |= {"/bad": b"<html>maintenance</html>", "/cut": CONTENT, "/good": CONTENT}
    server.truncated.add("/cut")
    with caplog.at_level(logging.WARNING):
        get([f"{server.url}/{p}" for p in ("none", "bad", "cut", "good")], tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.requests == ["/none", "/bad", "/cut", "/good"]
    reasons = [record.getMessage() for record in caplog.records]
    assert "404" in reasons[0]
    assert f"checksum mismatch, expected {DIGEST}, got " in reasons[1]
    assert "IncompleteRead" in reasons[2]


def test_when_all_fail_nothing_is_left_and_the_error_is_one_line(
    server: Server, tmp_path: Path
) -> None:
    server.files["/cut"] = CONTENT[:1000]
    server.truncated.add("/cut")
    with pytest.raises(UserError) as caught:
        get([f"{server.url}/cut", f"{server.url}/none"], tmp_path / "a.zip")
    message = str(caught.value)
    assert message.startswith("no data here: put it there (download failed: 127.0.0.1: ")
    assert message.endswith("), or try data=synthetic, which needs no download")
    assert "404" in message
    assert "\n" not in message
    assert {p.name for p in tmp_path.iterdir()} <= {"a.zip.lock"}


def test_refused_connection_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a"
        with pytest.raises(UserError, match=r"127\.0\.0\.1: .*refused"):
            get([url], tmp_path / "a.zip")


def test_https_with_a_certificate_file_that_is_missing_is_the_mirrors_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(UserError, match=r"download failed: 127\.0\.0\.1: Could not find"):
        get(["https://127.0.0.1:1/a"], tmp_path / "a.zip")


def test_tls_failure_moves_on_to_the_next_mirror(server: Server, tmp_path: Path) -> None:
    # TLS spoken to a plain HTTP server: the handshake fails
    server.files["/a"] = CONTENT
    urls = [server.url.replace("http", "https") + "/a", f"{server.url}/a"]
    get(urls, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_interruption_leaves_no_part(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(url: str, part: Path) -> None:
        part.write_bytes(CONTENT[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_fetch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get([f"{server.url}/a"], tmp_path / "a.zip")
    assert {p.name for p in tmp_path.iterdir()} <= {"a.zip.lock"}


def test_a_full_disk_is_not_the_mirrors_fault(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(url: str, part: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_fetch", full)
    with pytest.raises(UserError) as caught:
        get([f"{server.url}/a", f"{server.url}/b"], tmp_path / "a.zip")
    assert str(caught.value) == (
        f"{tmp_path / 'a.zip'} can't be written (No space left on device): "
        "set data.root to a folder with write permission and free space"
    )


def test_threads_download_once(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(get, [f"{server.url}/a"], tmp_path / "a.zip") for _ in range(4)]
        for job in jobs:
            job.result()
    assert server.requests == ["/a"]


def test_processes_download_once(server: Server, tmp_path: Path) -> None:
    server.files["/a"] = CONTENT
    arguments = ([f"{server.url}/a"], tmp_path / "a.zip")
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=get, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.requests == ["/a"]


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root may write anywhere")
def test_read_only_root(tmp_path: Path, server: Server) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        get([f"{server.url}/a"], tmp_path / "a.zip")
    tmp_path.chmod(0o700)

"""A server is asked before its answer is needed."""

from __future__ import annotations

import socket
from threading import Thread

import pytest
from omegaconf import OmegaConf

from src.tracking.contact import check_contact, make_contact


class Server:
    """Answers every request, and counts them."""

    def __init__(self) -> None:
        self.requests = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            with connection:
                connection.recv(10_000)
                self.requests += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def absent() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_an_answer_counts_once(server: Server) -> None:
    make_contact(OmegaConf.create({"tracking": {"uri": server.uri}}))
    check_contact(server.uri)
    assert server.requests == 1
    check_contact(server.uri)
    assert server.requests == 2


def test_a_server_that_is_absent_is_told_when_the_answer_is_needed(absent: str) -> None:
    make_contact(OmegaConf.create({"tracking": {"uri": absent}}))
    with pytest.raises(OSError, match="Connection refused"):
        check_contact(absent)


@pytest.mark.parametrize("tracking", [None, "x", {"name": "none"}, {"uri": 5}, {"uri": "${no}"}])
def test_what_names_no_server_is_left_to_others(tracking: object) -> None:
    make_contact(OmegaConf.create({"tracking": tracking}))


def test_an_address_that_is_none_is_told_when_the_answer_is_needed() -> None:
    make_contact(OmegaConf.create({"tracking": {"uri": "http://there:port"}}))
    with pytest.raises(ValueError, match="Port could not be cast"):
        check_contact("http://there:port")

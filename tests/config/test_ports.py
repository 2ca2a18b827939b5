from __future__ import annotations

import socket

import pytest

from src.config.ports import check_port, is_free
from src.errors import UserError


def test_a_port_that_is_taken_says_which_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        with pytest.raises(
            UserError, match=rf"port={port} is taken by another program: port=\d+ is"
        ):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_a_host_that_is_none() -> None:
    with pytest.raises(UserError, match=r"host=nowhere\.invalid is no address of this machine"):
        check_port("nowhere.invalid", 5000)

"""Ports to listen on."""

from __future__ import annotations

import errno
import socket

from src.errors import UserError

# How many ports after the one that is taken are tried
TRIED = 100


def check_port(host: str, port: int) -> None:
    """Raise UserError, with the next port that is free, where another program listens there."""
    if is_free(host, port):
        return
    following = range(port + 1, min(port + TRIED, 65536))
    free = next((other for other in following if is_free(host, other)), None)
    advice = "" if free is None else f": port={free} is free"
    raise UserError(f"port={port} is taken by another program{advice}")


def is_free(host: str, port: int) -> bool:
    """Tell whether a program can listen there. Raises UserError for a host that is none."""
    try:
        with socket.create_server((host, port)):
            return True
    except UnicodeError as error:
        raise _no_host(host) from error
    except OSError as error:
        # names that can't be resolved have numbers below 0
        if error.errno is None or error.errno < 0 or error.errno == errno.EADDRNOTAVAIL:
            raise _no_host(host) from error
        return False


def _no_host(host: str) -> UserError:
    return UserError(f"host={host} is no address of this machine")

"""Files damaged at random, by a seed, and what has to come of reading them: no more than a line."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from src.cli import user_line
from src.errors import LONGEST_LINE

SECONDS = 20
"""What takes longer counts as hanging."""

TOKENS = [
    *(b"", b"\x00", b"\xff\xfe", b"\xc3\x28", b"\xe2\x80\xa8", b"\r", b"\n", b"\n\n", b"\t", b" "),
    *(
        b",",
        b"::",
        b";",
        b'"',
        b'""',
        b"'",
        b"(",
        b")",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b"- ",
        b"&a ",
    ),
    *(
        b"*a",
        b"!!python/object/apply:os.system",
        b"${seed}",
        b"???",
        b"null",
        b"~",
        b"true",
        b"nan",
    ),
    *(b"inf", b"-1", b"0", b"1e400", b"99999999999999999999", b"2147483647", b"1.5", b"_target_"),
    *(b"os.system", b"../../x", b"/etc/passwd", b"PK\x03\x04", b"PAR1", b"x" * 5000),
]


def numbers(few: int, many: int, name: str) -> Any:
    """Give a test `few` cases as `number`, and as many as `make chaos` wants, or NCF_CHAOS_name."""
    wanted = int(os.environ.get(f"NCF_CHAOS_{name}", many))
    return pytest.mark.parametrize("number", [few, pytest.param(wanted, marks=pytest.mark.chaos)])


def damaged(content: bytes, number: int) -> Iterator[bytes]:
    """Yield so many versions of a file's content, each damaged in one to four ways."""
    for seed in range(number):
        rng = random.Random(seed)
        harmed = content
        for _ in range(rng.choice((1, 1, 2, 4))):
            harmed = rng.choice(WAYS)(harmed, rng)
        yield harmed


def _flip(content: bytes, rng: random.Random) -> bytes:
    harmed = bytearray(content or b"\x00")
    harmed[rng.randrange(len(harmed))] ^= 1 << rng.randrange(8)
    return bytes(harmed)


def _slice(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 4, 16, 256)))


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _drop(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:end] + content[start:]


def _erase(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] + b"\x00" * (end - start) + content[end:]


def _scramble(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[end:]


def _insert(content: bytes, rng: random.Random) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] + rng.choice(TOKENS) + content[rng.choice((start, end)) :]


def _replace_word(content: bytes, rng: random.Random) -> bytes:
    """Replace one of the words or numbers of a text."""
    words = content.split()
    return content.replace(rng.choice(words), rng.choice(TOKENS), 1) if words else content


WAYS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_flip, _truncate, _drop, _repeat, _erase, _scramble, _insert, _replace_word),
]


@contextmanager
def told_in_one_line(case: object) -> Iterator[list[str]]:
    """Fail unless what is done ends in time, well or with an error that is shown as one line.

    Gives a list, to which the line is added.
    """
    said: list[str] = []

    def end(*_: object) -> None:
        raise TimeoutError(f"hangs: {case!r:.500}")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield said
    except TimeoutError:
        raise
    except Exception as error:
        line = user_line(error, "train")
        assert line is not None, f"no line for {case!r:.500}"
        assert_one_line(line)
        said.append(line)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def assert_one_line(line: str) -> None:
    """Assert that a message is a line that any terminal can show."""
    assert line
    assert len(line) <= LONGEST_LINE
    assert line.isprintable(), line

"""Lines for users: short, and printable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.errors import shorten


@pytest.mark.parametrize(
    ("value", "longest", "line"),
    [
        ("short", 60, "short"),
        (5, 60, "5"),
        (None, 60, "None"),
        (" a \n b\t", 60, "a b"),
        ("\x1b[31mred\u2028", 60, "\\x1b[31mred"),
        ("x" * 60, 60, "x" * 60),
        ("a" * 30 + "b" * 31, 60, "a" * 30 + "b" * 7 + " ... " + "b" * 18),
        ("abcdefghijkl", 11, "abcd ... kl"),
    ],
)
def test_shorten(value: object, longest: int, line: str) -> None:
    assert shorten(value, longest) == line


@given(st.text(), st.integers(20, 300))
def test_what_is_shortened_is_one_line(text: str, longest: int) -> None:
    line = shorten(text * 9, longest)
    assert len(line) <= longest
    assert line.isprintable()

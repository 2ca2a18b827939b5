"""Names of folders: none that lies elsewhere, is hidden, or is too long."""

from __future__ import annotations

import pytest

from src.config.names import check_name
from src.errors import UserError


@pytest.mark.parametrize("name", ["a", "1e5", "007", "a.b", "a..", "_x", "-x", "+1", "größe", 7])
def test_names(name: object) -> None:
    assert check_name("sweep.name", name) == str(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../up",
        "/root",
        "a/b",
        "a\\b",
        "a b",
        "a\n",
        "a\0",
        "~",
        [],
        {},
        ["a"],
    ],
)
def test_what_is_no_name(name: object) -> None:
    with pytest.raises(UserError, match=r"^sweep.name=.*: letters, digits and . _ \+ - only"):
        check_name("sweep.name", name)


def test_a_name_that_is_too_long() -> None:
    with pytest.raises(UserError, match=r"^sweep.name=xxx.* \.\.\. xxx.*: too long") as raised:
        check_name("sweep.name", "x" * 151)
    assert len(str(raised.value)) < 150

"""Names that a user gives and that become the names of folders."""

from __future__ import annotations

import re

from src.errors import UserError, shorten

# No separator, nothing hidden, and neither "." nor ".."
NAME = re.compile(r"[\w+-][\w.+-]*")
# Bytes; file systems have 255 for a name, to which dates and digests are added
LONGEST = 150


def check_name(option: str, given: object) -> str:
    """Return the name that the option gives. Raises UserError if no folder can have it."""
    name = str(given)
    if isinstance(given, dict | list) or not NAME.fullmatch(name):
        raise UserError(
            f"{option}={shorten(name)}: letters, digits and . _ + - only, and no . at the beginning"
        )
    if len(name.encode()) > LONGEST:
        raise UserError(f"{option}={shorten(name)}: too long, {LONGEST} letters are enough")
    return name

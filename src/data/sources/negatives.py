"""The `.test.negative` files of the NCF paper: "(user,item)", a tab, then that row's negatives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from src.data.interactions import IntArray
from src.data.sources.archives import open_unpacked
from src.errors import UserError

# nine digits: every number fits int32
WELL_FORMED = re.compile(rb"\(\d{1,9},\d{1,9}\)(?:\t\d{1,9})+\r?")
TO_SPACES = bytes.maketrans(b"(),\t\r", b"     ")


def read_negatives(path: Path, users: IntArray, items: IntArray) -> IntArray:
    """Read the negatives of each test pair (`users[i]`, `items[i]`), in that order: int32 [n, C].

    Raises UserError with the line that is malformed, has another pair, or another C than line 1.
    """
    with open_unpacked(path) as file:
        lines = file.read().rstrip().split(b"\n")
    if len(lines) != len(users):
        raise UserError(f"{path} has {len(lines)} lines, but there are {len(users)} test pairs")
    width = lines[0].count(b"\t")
    for number, line in enumerate(lines, 1):
        if not WELL_FORMED.fullmatch(line):
            shown = line[:40].decode(errors="backslashreplace")
            raise UserError(f"{path}, line {number}: not (user,item) and negatives: {shown!r}")
        found = line.count(b"\t")
        if found != width:
            raise UserError(f"{path}, line {number}: {found} negatives, {width} in line 1")
    numbers = np.fromstring(b" ".join(lines).translate(TO_SPACES), dtype=np.int32, sep=" ")
    table = numbers.reshape(len(lines), 2 + width)
    wrong = (table[:, 0] != users) | (table[:, 1] != items)
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{path}, line {row + 1}: negatives of ({table[row, 0]},{table[row, 1]}), "
            f"but the test pair is ({users[row]},{items[row]})"
        )
    return np.ascontiguousarray(table[:, 2:])

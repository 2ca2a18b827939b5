"""Where a command writes what its `out=` option names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from src.errors import UserError
from src.reporting.wording import listed


def output_file(out: str, endings: Sequence[str]) -> Path:
    """Return the file that `out` names, in a folder that exists from now on.

    Raises UserError for an ending that is none of `endings`, such as (".png", ".pdf").
    """
    file = Path(out).expanduser()
    if file.suffix not in endings:
        raise UserError(f"out={out}: the file has to end in {listed(endings, last='or')}")
    file.parent.mkdir(parents=True, exist_ok=True)
    return file

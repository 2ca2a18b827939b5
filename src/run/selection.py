"""What a fit selected, kept for a run that is cut off while it trains again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from src.config.durable import write_text
from src.run.finished import SELECTION


class Selection(NamedTuple):
    """What is known of a fit and of the epoch that it selected."""

    metrics: dict[str, float]
    by_epoch: Sequence[str]
    """Those of them that were measured after every epoch."""


def write_selection(folder: Path, selection: Selection) -> None:
    """Write the selection of a run that trains again with it."""
    write_text(folder / SELECTION, json.dumps(selection._asdict(), indent=2) + "\n")


def read_selection(folder: Path) -> Selection | None:
    """Return what the run in `folder` had selected; None if it had not, or that is damaged."""
    try:
        return Selection(**json.loads((folder / SELECTION).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None

"""How often a checkpoint is written within an epoch."""

from __future__ import annotations

import re
from typing import NamedTuple

from src.errors import UserError

SECONDS = {"s": 1, "min": 60, "h": 3600}


class Every(NamedTuple):
    """How often: every so many steps, or seconds."""

    steps: float = float("inf")
    seconds: float = float("inf")


def read_every(given: str | None) -> Every | None:
    """Read "1000steps", "30s", "10min" or "2h". Raises UserError for anything else."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(steps?|s|min|h)", str(given))
    if not found or float(found[1]) <= 0:
        raise UserError(f"checkpoint_every={given}: such as 1000steps, 30s, 10min or 2h, or null")
    amount, unit = float(found[1]), found[2]
    return Every(steps=amount) if unit.startswith("step") else Every(seconds=amount * SECONDS[unit])

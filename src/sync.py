"""`python -m src.sync run=RUN|all`: send what MLflow has not of runs that are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing
from src.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from omegaconf import DictConfig

    from src.tracking.journal import Journal


def sync(cfg: DictConfig) -> None:
    """Close the records of runs that are gone, and send all that their stores have not."""
    with importing():
        from src.run.recovery import recover
        from src.tracking.unsent import list_unsent

    chosen = list(list_unsent()) if cfg.run == "all" else _find_journals(str(cfg.run), cfg.tracking)
    left: list[str] = []
    for journal, outcome in recover(chosen):
        print(f"{outcome.word:<9}{journal.folder}: {outcome.reason}", flush=True)
        if outcome.failed:
            left.append(f"{journal.folder}: {outcome.reason}")
    if not chosen:
        print("nothing is left to send")
    if left:
        raise UserError(f"{len(left)} of {len(chosen)} records are not sent, the first {left[0]}")


def _find_journals(reference: str, tracking: Mapping[str, Any]) -> list[Journal]:
    """Return the journals of the run or sweep. Raises UserError when it has none."""
    from src.run.lookup import find_run
    from src.tracking.journal import list_journals

    journals = list_journals(Path(reference)) or list_journals(find_run(reference, tracking))
    if not journals:
        raise UserError(f"run={reference} has no record to be sent: it was not tracked by MLflow")
    return journals


def main() -> None:
    """Run `python -m src.sync`, also as `ncf-sync`."""
    cli.run(sync, "sync")


if __name__ == "__main__":
    main()

"""The list of records that are not wholly in their stores yet, whichever folders they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from src.config import compose
from src.config.durable import write_text
from src.tracking.journal import Journal


def _place() -> Path:
    return compose.OUTPUTS / "unsent"


def add(journal: Journal) -> None:
    """Note the journal of a record that has begun."""
    folder = _place()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / journal.name, str(journal.file.resolve()))


def remove(journal: Journal) -> None:
    """Remove the journal of a record that has ended and is sent."""
    (_place() / journal.name).unlink(missing_ok=True)


def contains(name: str) -> bool:
    """Tell whether the record of that id is in the list."""
    return (_place() / name).exists()


def list_unsent() -> Iterator[Journal]:
    """Yield the journals in the list, those first that began first: sweeps come before their jobs.

    Those whose folder somebody has removed leave the list.
    """
    folder = _place()
    notes = [note for note in folder.glob("*") if not note.name.startswith(".")]
    found: list[tuple[int, Path, Journal]] = []
    for note in notes:
        try:
            journal = Journal(Path(note.read_text()))
            first = next(journal.read(), None)
        except FileNotFoundError:
            continue  # sent by another process meanwhile
        except (OSError, ValueError):  # no path: the disk lost it
            note.unlink(missing_ok=True)
            continue
        if first is None and not journal.file.exists():
            note.unlink(missing_ok=True)
        elif first is not None:
            found.append((first.at, note, journal))
    yield from (journal for _, _, journal in sorted(found, key=lambda one: one[:2]))

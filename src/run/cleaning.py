"""Clearing away runs that failed or were cut off: their folders, their files, their records."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from src.config import compose
from src.reporting.wording import counted
from src.run.disk_use import MEGABYTE, measure_folders
from src.run.finished import METRICS
from src.run.lease import holding, is_held
from src.run.listing import Listing, has_words, print_runs
from src.tracking.reading import Reader, Record
from src.tracking.tracker import PARENT

# "outputs/jobs" holds what many runs made, "outputs/jobs/KEY" what one did
DEPTH = 2


def clean(reader: Reader, every: Sequence[Record], listing: Listing) -> None:
    """Print what would be removed, and remove it unless that is only a rehearsal."""
    chosen = choose_removable(every, str(listing.clean), listing.words)
    if not chosen:
        print(f"nothing to remove: no {listing.clean} runs{' like that' * bool(listing.words)}")
        return
    print_runs(chosen, None)
    folders = list_folders(chosen, every)
    size = measure_folders(folders) / MEGABYTE
    what = f"{counted(len(chosen), 'record')} and {counted(len(folders), 'folder')}, {size:.1f} MB"
    if listing.dry_run:
        print(f"would remove {what}; dry_run=false does")
        return
    for folder in folders:
        _remove_folder(folder)
    for record in chosen:
        reader.delete(record)
    print(f"removed {what}")


def choose_removable(every: Sequence[Record], kind: str, words: Sequence[str]) -> list[Record]:
    """Return the runs that are "failed" or "unfinished" and that no process is at.

    A sweep's own run goes with the last of its jobs: what is left of a sweep stays a sweep.
    """
    of_kind = [one for one in every if _is_of_kind(one, kind) and not _is_busy(one)]
    jobs = [one for one in of_kind if "kind" not in one.tags and has_words(one, words)]
    staying = {one.tags.get(PARENT) for one in every if one not in jobs}
    return [
        one
        for one in of_kind
        if one in jobs
        or ("kind" in one.tags and has_words(one, words) and one.run_id not in staying)
    ]


def list_folders(chosen: Sequence[Record], every: Sequence[Record]) -> list[Path]:
    """Return the folders of the chosen runs, and of their files in the store, each once.

    Left out is what is not below the outputs, and what another run is in, or has finished in.
    """
    others = [_find_folder(one) for one in every if one not in chosen]
    own = dict.fromkeys(map(_find_folder, chosen))
    unused = [
        folder
        for folder in own
        if folder is not None
        and not (folder / METRICS).exists()
        and not any(other is not None and other.is_relative_to(folder) for other in others)
    ]
    files = [folder for folder in map(_find_files, chosen) if folder is not None]
    return [folder for folder in [*unused, *files] if _is_ours(folder)]


def _is_of_kind(record: Record, kind: str) -> bool:
    """Tell whether the run failed, or was cut off.

    Records of processes that are gone were closed before; one that is still open without a folder
    of ours will never be closed.
    """
    if kind == "failed":
        return record.status == "FAILED"
    folder = _find_folder(record)
    lost = folder is not None and _is_below_outputs(folder) and not folder.exists()
    return record.status == "KILLED" or (record.status == "RUNNING" and lost)


def _is_busy(record: Record) -> bool:
    folder = _find_folder(record)
    return folder is not None and folder.is_dir() and is_held(folder)


def _find_folder(record: Record) -> Path | None:
    """Return the folder that the run wrote to, whether or not it is there."""
    folder = record.tags.get("output_folder")
    return Path(folder) if folder else None


def _find_files(record: Record) -> Path | None:
    """Return the folder of the run's files in the store, if it is of this machine."""
    place = urlsplit(record.artifacts)
    folder = Path(unquote(place.path)).parent
    return folder if place.scheme == "file" and folder.name == record.run_id else None


def _is_ours(folder: Path) -> bool:
    return _is_below_outputs(folder) and folder.is_dir() and not folder.is_symlink()


def _is_below_outputs(folder: Path) -> bool:
    outputs = compose.OUTPUTS.resolve()
    place = folder.resolve()
    return place.is_relative_to(outputs) and len(place.relative_to(outputs).parts) >= DEPTH


def _remove_folder(folder: Path) -> None:
    """Remove it while no other process can begin there."""
    with holding(folder, wait=False):
        shutil.rmtree(folder)

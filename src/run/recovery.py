"""Records of processes that are gone: closed as what they came to, and sent."""

from __future__ import annotations

import csv
import json
import socket
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout

from src.evaluation.catalogue import selected_name
from src.run.run_note import make_note
from src.tracking import unsent
from src.tracking.delivery import Delivery
from src.tracking.journal import Journal
from src.tracking.notes import NOTE
from src.tracking.store import check_server, first_line, store_errors


class Recovered(NamedTuple):
    """What came of sending a record."""

    word: str
    """sent, running, elsewhere or left."""
    reason: str

    @property
    def failed(self) -> bool:
        """Whether something should have been sent and was not."""
        return self.word == "left"


def recover(journals: Iterable[Journal] | None = None) -> Iterator[tuple[Journal, Recovered]]:
    """Close and send records whose processes are gone, by default all; yield what came of each.

    Those of processes that run are left alone, and those of other machines. A store that can't be
    reached is not tried again for its other records.
    """
    unreachable: dict[str, str] = {}
    for journal in unsent.list_unsent() if journals is None else journals:
        header = journal.header
        if header is None:
            yield journal, Recovered("left", "its record is damaged")
            continue
        place = f"{header['experiment']} of {header['uri']}"
        if header["uri"] in unreachable:
            yield journal, Recovered("left", unreachable[header["uri"]])
        elif not close(journal):
            yield journal, _describe_process(journal)
        else:
            try:
                check_server(header["uri"])
                Delivery(journal).send()
            except Timeout:
                yield journal, Recovered("running", "another process is sending it")
            except store_errors() as error:
                unreachable[header["uri"]] = f"{header['uri']}: {first_line(error)}"
                yield journal, Recovered("left", unreachable[header["uri"]])
            else:
                yield journal, Recovered("sent", place)


def _describe_process(journal: Journal) -> Recovered:
    """Say why a record is left alone that has no end yet."""
    if journal.host == socket.gethostname():
        return Recovered("running", "its process will send it")
    return Recovered("elsewhere", f"was run on {journal.host}, where python -m src.sync closes it")


def close(journal: Journal) -> bool:
    """Write the end of a record whose process is gone; False while it is not, or can't be told.

    A run whose metrics.json is written had finished.
    """
    if journal.ended:
        return True
    # only the machine itself can tell whether a process of its runs
    if journal.host not in (None, socket.gethostname()) or not journal.open(wait=0):
        return False
    try:
        if not journal.ended:  # as it was before the lock was had
            _write_end(journal)
    finally:
        journal.close()
    return True


def _write_end(journal: Journal) -> None:
    """Write the end of a record, by what lies in the run's folder."""
    entries = list(journal.read())
    results = _read_results(journal.folder / "metrics.json", since=entries[0].at)
    if results is not None:
        named = name_results(results, _read_judged(journal))
        known = {name for e in entries if e.kind == "metrics" for name in e.content["metrics"]}
        if not set(named) <= known:
            journal.append("tags", tags={NOTE: make_note(journal.folder, results)})
            journal.append("metrics", step=0, metrics=named)
    if entries[-1].kind != "files":
        journal.append("files", leave_out=[])
    journal.append("finish", status="KILLED" if results is None else "FINISHED")
    journal.flush()


def _read_results(file: Path, since: int) -> dict[str, float] | None:
    """Return what the run came to; None if it did not finish.

    `since`, milliseconds since 1970: a folder may have results of a run before the record began.
    """
    try:
        return json.loads(file.read_text()) if file.stat().st_mtime_ns >= since * 10**6 else None
    except (OSError, ValueError):
        return None  # damaged ones are no results


def _read_judged(journal: Journal) -> list[str]:
    """Return the metrics that have a curve by epoch."""
    history = journal.folder / "history.csv"
    if not history.exists():
        return []
    with history.open(newline="") as lines:
        return [name for name in next(csv.reader(lines), []) if name != "epoch"]


def name_results(metrics: Mapping[str, float], by_epoch: Container[str]) -> dict[str, float]:
    """Return what a run came to, as it is recorded.

    What has a curve by epoch already gets a name of its own, or that would get a point too many.
    """
    return {selected_name(k) if k in by_epoch else k: v for k, v in metrics.items()}

"""Sends a record's journal to MLflow: each entry once, however often sending is cut off."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from src.tracking import unsent
from src.tracking.journal import PREFIX, Journal, JournalEntry
from src.tracking.mlflow import MLflowTracker
from src.tracking.notes import NOTE, resolve_links
from src.tracking.store import first_line, is_refusal, store_errors
from src.tracking.tracker import PARENT
from src.tracking.views import View

# What is sent together, so that a server that takes long to answer is asked seldom
MOST_POINTS = 900

log = logging.getLogger(__name__)


@dataclass
class Sent:
    """What of a journal the store has; kept beside the journal."""

    run_id: str | None = None
    offset: int = 0
    """Where the first entry begins that it has not, in bytes."""
    asked: int = 0
    """How often a run was asked for: after the second time there may be two."""
    begun: bool = False
    adopted: bool = False
    """Whether the run was there before the journal."""
    files: dict[str, list[int]] = field(default_factory=dict)
    """Size and time of change of each artifact."""


@dataclass
class EntryBatch:
    """Entries in a row that are sent together."""

    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    points: list[tuple[str, float, int, int]] = field(default_factory=list)
    end: int = 0

    def add(self, entry: JournalEntry, known: Callable[[str, int], bool]) -> None:
        """Take an entry in; `known` tells whether the store has a metric at a step."""
        self.end, content = entry.end, entry.content
        if entry.kind == "params":
            self.params |= content["params"]
        elif entry.kind == "tags":
            self.tags |= content["tags"]
        else:
            step = content["step"]
            self.points += [
                (name, value, entry.at, step)
                for name, value in content["metrics"].items()
                if entry.kind == "metrics" or not known(name, step)
            ]


class Delivery:
    """The sending of one journal. `send` may be called again and again, as the journal grows."""

    def __init__(self, journal: Journal, *, live: bool = False) -> None:
        """`live`: the run is under way, and gets another record if somebody deletes its own."""
        self.journal, self.live = journal, live
        self.record: MLflowTracker | None = None
        """The run in MLflow, once it was reached."""
        self.progress = 0
        """Grows with everything that the store took."""
        self._file = journal.file.with_suffix(".sent")
        self._lock = FileLock(journal.file.with_suffix(".sending"), thread_local=False)
        self._sent = Sent()
        self._known: dict[str, set[int]] = {}
        self._incomplete = False

    def send(self) -> bool:
        """Send what the store has not; True when the record has ended and the store has all of it.

        Raises one of `store_errors` when the store can't be reached, and filelock's Timeout while
        another process sends the same. What was sent by then is not sent again.
        """
        with self._lock.acquire(timeout=0):
            self._sent = self._read_sent()
            self.record = self._open()
            if self.record.deleted:
                unsent.remove(self.journal)
                return True
            ended = self._send_entries(self.record)
        if ended:
            # what a power cut took later would not be sent again
            self._try(self.record.flush_files)
            unsent.remove(self.journal)
        return ended

    def left(self) -> int:
        """Count the entries that the store has not."""
        return sum(1 for _ in self.journal.read(self._read_sent().offset))

    def _send_entries(self, record: MLflowTracker) -> bool:
        """Send all entries that are left; True when the last one is the record's end."""
        batch, last = EntryBatch(), None
        for entry in self.journal.read(self._sent.offset):
            last = entry.kind
            if entry.kind in ("params", "tags", "metrics", "epoch"):
                batch.add(entry, self._knows)
                if len(batch.points) > MOST_POINTS:
                    batch = self._send_batch(record, batch)
                continue
            batch = self._send_batch(record, batch)
            self._carry_out(record, entry)
            self._advance(entry.end)
        self._send_batch(record, batch)
        return last == "finish" if last else self.journal.ended

    def _open(self) -> MLflowTracker:
        """Return the run, found or made at the first call."""
        if self.record is not None and self.record.run_id == self._sent.run_id:
            return self.record
        header = self.journal.header
        if header is None:
            raise OSError(f"{self.journal.file} is damaged: it has no beginning")
        continuing = header.pop("continuing")
        itself = {"record": self.journal.name}
        tags = {k: v for k, v in header.pop("tags").items() if not _is_reference(k, v)}
        if self._sent.run_id is None:
            self._sent.asked += 1
            self._write_sent()
        record = MLflowTracker(
            **header,
            tags={**tags, **itself},
            run_id=self._sent.run_id,
            found_by=[itself, *([continuing] if continuing else [])],
        )
        if record.deleted and self.live:
            self._sent = Sent()
            self._write_sent()
            return self._open()
        if record.run_id != self._sent.run_id:
            asked = self._sent.asked
            self._sent = Sent(run_id=record.run_id, asked=asked, adopted=record.adopted)
            self._write_sent()
            self.progress += 1
        return record

    def _send_batch(self, record: MLflowTracker, batch: EntryBatch) -> EntryBatch:
        """Send entries together, and return a batch for the next ones."""
        if batch.end == 0:
            return batch
        tags = {name: self._resolve(record, name, value) for name, value in batch.tags.items()}
        present = {name: value for name, value in tags.items() if value is not None}
        for method, content in (
            (record.log_params, batch.params),
            (record.set_tags, present),
            (record.log_points, batch.points),
        ):
            if content:
                self._try(method, content)
        self._advance(batch.end)
        return EntryBatch()

    def _carry_out(self, record: MLflowTracker, entry: JournalEntry) -> None:
        """Execute what an entry asks for that is no mere data."""
        content = entry.content
        if entry.kind == "begin":
            if self._sent.begun or self._sent.adopted:
                self._try(record.resume)
            self._sent.begun = True
        elif entry.kind == "files":
            for file in list_files(self.journal.folder, content["leave_out"]):
                self._send_file(record, file)
        elif entry.kind == "view":
            self._try(record.save_view, View(**content["view"]))
        elif entry.kind == "finish":
            if self._sent.asked > 1:
                self._delete_twins(record)
            self._try(record.finish, content["status"], entry.at)

    def _send_file(self, record: MLflowTracker, file: Path) -> None:
        """Send a file unless the store has it as it is."""
        name = file.relative_to(self.journal.folder).as_posix()
        try:
            about = file.stat()
        except FileNotFoundError:
            return  # removed since it was listed
        state = [about.st_size, about.st_mtime_ns]
        if self._sent.files.get(name) == state:
            return
        folder = name.rpartition("/")[0]
        self._try(record.log_file, file, folder or None)
        self._sent.files[name] = state
        self._advance(self._sent.offset)

    def _resolve(self, record: MLflowTracker, tag: str, value: Any) -> Any:
        """Return the tag's value: what it is about has a run id now, and so an address."""
        if tag == NOTE:
            return resolve_links(str(value), record.experiment_id, str(record.run_id))
        if not _is_reference(tag, value):
            return value
        found = record.find({"record": value})
        if not found and unsent.contains(value):
            raise OSError("the sweep's own record is not there yet")
        return found[0] if found else None

    def _delete_twins(self, record: MLflowTracker) -> None:
        """Remove further runs, which were made by requests that seemed to have failed."""
        for other in record.find({"record": self.journal.name}):
            if other != record.run_id:
                record.client.delete_run(other)

    def _knows(self, metric: str, step: int) -> bool:
        """Tell whether a run that was there before the journal has a value of the metric."""
        if not self._sent.adopted or self.record is None:
            return False
        if metric not in self._known:
            self._known[metric] = self.record.read_steps(metric)
        return step in self._known[metric]

    def _try(self, method: Callable[..., None], *args: Any) -> None:
        """Call the method; what the store refuses for good costs the record that, and no more."""
        try:
            method(*args)
        except store_errors() as error:
            if not is_refusal(error):
                raise
            if not self._incomplete:
                log.warning(
                    "%s: the record in %s is incomplete; the output folder has everything",
                    first_line(error),
                    self.record.uri if self.record else "",
                )
            self._incomplete = True

    def _advance(self, end: int) -> None:
        self._sent.offset = end
        self._write_sent()
        self.progress += 1  # what can't be noted is sent again, and is none

    def _read_sent(self) -> Sent:
        try:
            return Sent(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return Sent()  # all is sent again, which changes nothing

    def _write_sent(self) -> None:
        unfinished = self._file.with_suffix(".sent-new")
        unfinished.write_text(json.dumps(asdict(self._sent)))
        unfinished.replace(self._file)


def _is_reference(tag: str, value: Any) -> bool:
    """Tell whether the tag names a record by its own id, for want of its run's."""
    return tag == PARENT and str(value).startswith(PREFIX)


def list_files(folder: Path, leave_out: Collection[str]) -> Iterator[Path]:
    """Yield the folder's files, but not those of runs within it, nor what is to be left out.

    Nor those whose names begin with a dot: a process that was killed left them half written.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in leave_out:
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not (path / "config.yaml").exists():
            within = (file for file in sorted(path.rglob("*")) if not file.name.startswith("."))
            yield from filter(Path.is_file, within)

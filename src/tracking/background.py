"""A record that is kept in the run's folder, and sent by a thread beside the training."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

from filelock import Timeout

from src.config.compose import command_line
from src.errors import UserError
from src.tracking import unsent
from src.tracking.delivery import Delivery
from src.tracking.journal import Journal, find_journal
from src.tracking.mlflow import MLflowLogger, MLflowOptions, unusable
from src.tracking.store import (
    embedded,
    first_line,
    is_disk_full,
    is_refusal,
    load_mlflow,
    store_errors,
)
from src.tracking.tracker import Tracker
from src.tracking.views import View

FIRST_ANSWER = 10.0
"""Seconds that what needs a run's id waits for a server."""
PATIENCE = 20.0
"""Seconds that the end of a run waits for a store that takes nothing more."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries to reach a store."""

log = logging.getLogger(__name__)

Recovery = Callable[[], Iterable[object]]


class BackgroundTracker(Tracker):
    """Writes to a journal, at once; one thread sends that to MLflow.

    Nothing that trains waits for a store. MLflow takes seconds to import, and its store to open:
    from `begin` on the thread does both, because training leaves it the interpreter, which the
    imports before training would not.
    """

    def __init__(
        self,
        options: MLflowOptions,
        tags: Mapping[str, Any],
        folder: Path,
        continuing: Mapping[str, str] | None = None,
        recovery: Recovery | None = None,
        *,
        beside: bool,
    ) -> None:
        """Begin a record, or go on with the folder's own.

        `continuing`: tags of an earlier run of the experiment, whose record goes on if there is
        one. `recovery` yields while it closes and sends what other processes left, once this record
        is open. `beside`: beside what follows, too. Raises OSError if the folder can't be written.
        """
        self.experiment_name, self.uri = options.experiment, options.uri
        self.logger = MLflowLogger(self)
        self._required = options.required
        self._journal, self._known = _open_journal(options, tags, folder, continuing)
        self._delivery = Delivery(self._journal, live=True)
        self._recovery: Iterator[object] = iter(recovery() if recovery else ())
        self._recovers_first = not beside
        self._loaded, self._tried = Event(), Event()
        self._opened = False
        self._news, self._ending, self._left = Event(), Event(), Event()
        self._failure: BaseException | None = None
        self._trouble: Exception | None = None
        self._delivered = False
        self._metrics: dict[int, dict[str, float]] = {}
        """By step: what is logged of an epoch bit by bit is one entry."""
        # a second Ctrl-C at the end does not wait for it
        self._thread = Thread(target=self._work, name="tracking", daemon=True)

    def begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def keep_up(self) -> None:
        self._write_metrics()
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Wait until MLflow is imported and the store was asked for the record.

        For a server that does not answer no longer than FIRST_ANSWER seconds. A record that is not
        opened beside the training has recovered others by then, too.
        """
        self._write_metrics()
        self.begin()
        self._loaded.wait()
        patience = None if embedded(self.uri) else FIRST_ANSWER
        while not self._tried.wait(patience) and self._opened:
            pass  # the server answers, and takes what others left
        self.keep_up()

    @property
    def run_id(self) -> str | None:  # type: ignore[override]
        """The run's id in MLflow; None while the server has not given it one."""
        self.wait()
        return self._delivery.record.run_id if self._delivery.record else None

    @property
    def reference(self) -> str:
        return self.run_id or self._journal.name

    @property
    def location(self) -> str | None:
        record = self._delivery.record
        if record is None or (self._ending.is_set() and not self._delivered):
            return f"{self._journal.file.parent}, not yet in {self.uri}"
        return record.location

    @property
    def artifacts(self) -> Path | None:  # type: ignore[override]
        record = self._delivery.record
        # a server may be away by now
        there = self._delivered and embedded(self.uri) is not None
        return record.artifacts if record is not None and there else None

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._write("params", params=params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._write("tags", tags=tags)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self._write("metrics", step=step, metrics=_as_numbers(metrics))

    def log_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        self._metrics.setdefault(epoch, {}).update(metrics)

    def log_missing(self, epochs: Sequence[Mapping[str, float]]) -> None:
        for epoch in epochs:
            values = {name: value for name, value in epoch.items() if name != "epoch"}
            self.log_epoch(values, int(epoch["epoch"]))

    def log_files(self, folder: Path, leave_out: Collection[str] = ()) -> None:
        self._write("files", leave_out=list(leave_out))

    def save_view(self, view: View) -> None:
        self._write("view", view=asdict(view))

    def finish(self, status: str) -> None:
        """End the record, and wait until the store has it, but not for one that takes nothing."""
        self._write("finish", status=status)
        self._journal.flush()
        self._ending.set()
        self._news.set()
        self.begin()
        try:
            self._wait_until_sent()
        finally:
            self._left.set()
            self._journal.close()
        if self._failure is not None:
            if isinstance(self._failure, UserError):
                self.discard()
            raise self._failure
        if not self._delivered:
            log.warning(
                "%s: %d entries of the record are not in %s yet; %s sends them",
                self._describe_trouble(),
                self._delivery.left(),
                self.uri,
                command_line("sync", f"run={self._journal.folder}"),
            )

    def discard(self) -> None:
        """Give up a record that no store took."""
        unsent.remove(self._journal)
        self._journal.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the record; of two errors the block's own is the one to tell."""
        try:
            super().__exit__(kind, error, traceback)
        except UserError as failure:
            if error is None:
                raise
            if failure is not error:
                log.warning("the run is not recorded: %s", failure)

    def _write(self, kind: str, **content: Any) -> None:
        """Add an entry to the journal, after what was logged before."""
        self._write_metrics()
        self._journal.append(kind, **content)
        self._news.set()

    def _write_metrics(self) -> None:
        """Write what was logged of epochs, without points that the journal has already.

        A run that was cut off goes on from its last checkpoint, perhaps an epoch before its last.
        """
        metrics, self._metrics = self._metrics, {}
        for epoch, values in metrics.items():
            new = {name: v for name, v in values.items() if (epoch, name) not in self._known}
            if new:
                self._known.update((epoch, name) for name in new)
                self._journal.append("epoch", step=epoch, metrics=_as_numbers(new))
                self._news.set()

    def _wait_until_sent(self) -> None:
        """Wait for the thread while it gets on."""
        progress, since = -1, time.monotonic()
        patience = 3 * PATIENCE if embedded(self.uri) else PATIENCE
        while self._thread.is_alive():
            self._thread.join(0.1)
            if progress != self._delivery.progress or not self._loaded.is_set():
                progress, since = self._delivery.progress, time.monotonic()
            elif time.monotonic() - since > patience:
                return

    def _work(self) -> None:
        """Open the record and send the journal as it grows, until it has ended or is refused."""
        try:
            load_mlflow()
            self._loaded.set()
            ended = self._send_once()
            if self._recovers_first and self._opened:
                for _ in self._recovery:
                    pass
            self._tried.set()
            pause = 0.0
            while not ended:
                if self._failure is not None:
                    return
                if self._trouble is None:
                    pause = 0.0
                    self._wait_for_news()
                elif not self._ending.is_set():
                    pause = min(LONGEST_PAUSE, 2 * pause or SHORTEST_PAUSE)
                    self._ending.wait(pause)
                elif is_disk_full(self._trouble) or self._left.wait(SHORTEST_PAUSE):
                    return  # whatever starts next sends it
                ended = self._send_once()
            self._delivered = True
        except BaseException as error:  # raised by `keep_up`, in the main thread
            self._failure = error
        finally:
            self._loaded.set()
            self._tried.set()

    def _send_once(self) -> bool:
        """Send what there is; True when the record has ended and the store has all of it."""
        self._news.clear()
        try:
            if not self._ending.is_set():
                self._journal.flush()
            ended = self._delivery.send()
        except Timeout:
            # another process sends what a run that was cut off had left here
            self._trouble = OSError("another process sends it")
            return False
        except store_errors() as error:
            self._bear(error)
            return False
        self._trouble = None
        self._opened = True
        return ended

    def _bear(self, error: Exception) -> None:
        """Keep on without the store for a while; one that can't be used from the start is told."""
        server = embedded(self.uri) is None
        refused = is_refusal(error) and self._required
        if not self._opened and (refused or not server):
            self._failure = unusable(self.uri, error)
            return
        if self._trouble is None:
            log.warning(
                "%s: what %s has not is kept in %s and sent later",
                first_line(error),
                self.uri,
                self._journal.folder,
            )
        self._trouble = error

    def _wait_for_news(self) -> None:
        """Wait for entries; recover other records meanwhile, one after the other."""
        while not self._news.is_set():
            if next(self._recovery, None) is None:
                self._news.wait()

    def _describe_trouble(self) -> str:
        return first_line(self._trouble) if self._trouble else "no answer"


def _open_journal(
    options: MLflowOptions,
    tags: Mapping[str, Any],
    folder: Path,
    continuing: Mapping[str, str] | None,
) -> tuple[Journal, set[tuple[int, str]]]:
    """Open the journal of the record that goes on, or a new one; also return its epochs' points."""
    header = {
        "uri": options.uri,
        "experiment": options.experiment,
        "run_name": options.run_name,
        "artifacts": options.artifacts,
        "started": int(time.time() * 1000),
        "tags": dict(tags),
        "continuing": dict(continuing) if continuing else None,
    }
    journal = find_journal(folder, header) if continuing else None
    known: set[tuple[int, str]] = set()
    if journal is not None and journal.open(wait=1.0):
        for entry in journal.read():
            if entry.kind == "epoch":
                known |= {(entry.content["step"], name) for name in entry.content["metrics"]}
        unsent.add(journal)
        journal.begin()
        journal.append("tags", tags=dict(tags))
    else:
        journal = Journal.create(folder, header)
        unsent.add(journal)
        journal.begin()
    return journal, known


def _as_numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}

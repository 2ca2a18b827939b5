"""A record that a thread of its own opens and writes, beside the training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any

from src.errors import UserError
from src.tracking.mlflow import MLflowLogger
from src.tracking.tracker import Tracker
from src.tracking.views import View

log = logging.getLogger(__name__)


class BackgroundTracker(Tracker):
    """Passes every call on to another tracker, in order, in one thread.

    MLflow takes seconds to import and its store to open, and nothing before the first training step
    needs either. From `begin` on the thread does both: training leaves it the interpreter, which
    the imports before training would not.
    """

    def __init__(self, open_record: Callable[[], Tracker], experiment: str) -> None:
        """`open_record` opens the other tracker; the thread calls it, once."""
        self.experiment_name = experiment
        self.logger = MLflowLogger(self)
        self._open_record = open_record
        self._record = Tracker()
        self._opened = Event()
        self._failure: BaseException | None = None
        self._calls: SimpleQueue[tuple[str, tuple[Any, ...]] | None] = SimpleQueue()
        self._metrics: dict[int, dict[str, float]] = {}
        """By step: what is logged of an epoch bit by bit is sent as one batch."""
        # joined by `finish`; a second Ctrl-C there does not wait for it
        self._thread = Thread(target=self._work, name="tracking", daemon=True)

    def begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def keep_up(self) -> None:
        self._send_metrics()
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        self.begin()
        self._opened.wait()
        self.keep_up()

    @property
    def run_id(self) -> str | None:  # type: ignore[override]
        self.wait()
        return self._record.run_id

    @property
    def location(self) -> str | None:
        return self._record.location

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._pass_on("log_params", params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._pass_on("set_tags", tags)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self._metrics.setdefault(step, {}).update(metrics)

    def log_missing(self, epochs: Sequence[Mapping[str, float]]) -> None:
        self._pass_on("log_missing", epochs)

    def log_files(self, folder: Path, leave_out: Container[str] = ()) -> None:
        self._pass_on("log_files", folder, leave_out)

    def save_view(self, view: View) -> None:
        self._pass_on("save_view", view)

    def finish(self, status: str) -> None:
        """End the record, and wait until everything is written."""
        self._pass_on("finish", status)
        self._calls.put(None)
        self.begin()
        self._thread.join()
        self.keep_up()

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

    def _pass_on(self, method: str, *args: Any) -> None:
        """Let the thread call the other tracker's method, after what was logged before."""
        self._send_metrics()
        self._calls.put((method, args))

    def _send_metrics(self) -> None:
        metrics, self._metrics = self._metrics, {}
        for step, values in metrics.items():
            self._calls.put(("log_metrics", (values, step)))

    def _work(self) -> None:
        """Open the record and write to it until it is finished, or fails."""
        try:
            self._record = self._open_record()
            self._opened.set()
            while (call := self._calls.get()) is not None:
                method, args = call
                getattr(self._record, method)(*args)
        except BaseException as error:  # raised by `keep_up`, in the main thread
            self._failure = error
        finally:
            self._opened.set()

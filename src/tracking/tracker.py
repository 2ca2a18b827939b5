"""What a run tells a tracker; this one listens to nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from src.tracking.views import View


PARENT = "mlflow.parentRunId"
"""The tag of a run within another, such as a sweep's."""

COLOR = "mlflow.runColor"
"""The tag with the colour that MLflow's charts draw a run in; without, one of a few by its id."""


class Tracker:
    """A run's record, as a context manager: closed with the status that the block ends with."""

    logger: Logger | None = None
    """Receives the metrics of every epoch from Lightning."""

    run_id: str | None = None
    """What the record is found by."""

    artifacts: Path | None = None
    """The folder of the record's files, once all is sent, if it is one of this machine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish("FINISHED")
        elif issubclass(kind, KeyboardInterrupt | SystemExit):
            self.finish("KILLED")
        else:
            self.set_tags({"error": str(error)})
            self.finish("FAILED")

    def begin(self) -> None:
        """Start to open the record, beside what the caller does next, if that takes long."""

    def keep_up(self) -> None:
        """Send what was logged; raise the error that ended a record beside, if any."""

    def wait(self) -> None:
        """Wait until the record is open. Raises UserError when it can't be opened."""

    @property
    def reference(self) -> str | None:
        """What other records name this one by: its run's id, or its own while it has no run."""
        return self.run_id

    @property
    def location(self) -> str | None:
        """Where a person finds the record."""
        return None

    def log_params(self, params: Mapping[str, Any]) -> None: ...

    def set_tags(self, tags: Mapping[str, Any]) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def log_epoch(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Log what was measured in an epoch; what is recorded of it already stays."""

    def log_missing(self, epochs: Sequence[Mapping[str, float]]) -> None:
        """Log the metrics of epochs that an interrupted run had not sent; each has its number."""

    def log_files(self, folder: Path, leave_out: Collection[str] = ()) -> None: ...

    def save_view(self, view: View) -> None: ...

    def finish(self, status: str) -> None: ...


def flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to one level: {"model": {"factors": 8}} -> {"model.factors": 8}."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat

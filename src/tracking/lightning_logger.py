"""Records by any of Lightning's loggers, such as its CSVLogger, or one of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from src.config.build import Component
from src.errors import UserError
from src.tracking.tracker import Tracker, flatten

# What Lightning's loggers call the status that a run ends with
STATUSES = {"FINISHED": "success", "FAILED": "failed", "KILLED": "aborted"}


class LoggerTracker(Tracker):
    """Passes params and metrics on to a Lightning logger; files stay in the run's folder."""

    logger: Logger

    def __init__(self, chosen: Component, name: str, folder: Path) -> None:
        """Make the logger, which writes to `folder`/`name` where it takes a save_dir.

        Raises UserError when it is none, or lacks a library.
        """
        places = {"save_dir": str(folder), "name": name, "version": ""}
        asked = inspect.signature(chosen.callable).parameters
        given = {k: v for k, v in places.items() if k in asked and k not in chosen.options}
        try:
            logger = chosen.build(**given)
        except ModuleNotFoundError as error:
            raise UserError(f"tracking={name} needs a library: {error}") from error
        if not isinstance(logger, Logger):
            raise UserError(f"tracking._target_={chosen.target} is no Lightning logger")
        self.logger, self.place = logger, folder / name

    @property
    def location(self) -> str:
        return f"{type(self.logger).__name__} in {self.logger.save_dir or self.place}"

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log nested params flattened, but not how the run is recorded."""
        flat = flatten(params)
        kept = {k: v for k, v in flat.items() if not k.startswith(("tracking.", "sweep."))}
        self.logger.log_hyperparams(kept)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.logger.log_metrics(dict(metrics), step)

    def finish(self, status: str) -> None:
        self.logger.save()
        self.logger.finalize(STATUSES.get(status, status))

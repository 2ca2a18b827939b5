"""What MLflow serves of a packaged run: `_load_pyfunc` is the name that MLflow calls.

A row of input is a user's raw id; a row of output is one of that user's best unseen items.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from src.errors import UserError
from src.serving.loaded_run import LoadedRun
from src.serving.package import load_package
from src.tracking.model_store import bad_request

PARAMS: dict[str, Any] = {"k": 10, "seen": False}
MOST_ITEMS = 1000
MOST_USERS = 10_000


class PackagedModel:
    """Answers tables of users."""

    def __init__(self, run: LoadedRun) -> None:
        self.run = run

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the k best items of each user: user, rank, item, score, ...

        Raises what MLflow answers with status 400 for input that can't be answered.
        """
        chosen = {**PARAMS, **(params or {})}
        users, k = model_input["user"].tolist(), int(chosen["k"])
        if not 1 <= k <= MOST_ITEMS:
            raise bad_request(f"k={k}: from 1 to {MOST_ITEMS}")
        if not 1 <= len(users) <= MOST_USERS:
            raise bad_request(f"{len(users)} users: from 1 to {MOST_USERS} at a time")
        with warnings.catch_warnings(action="ignore"):  # of unknown users, who get what is popular
            try:
                found = self.run.recommend(users, k, seen=bool(chosen["seen"]))
            except UserError as error:
                raise bad_request(str(error)) from error
        return found.drop(columns="held_out")


def _load_pyfunc(path: str) -> PackagedModel:
    """Load the run that was packaged in a folder, and have all that answering needs ready."""
    model = PackagedModel(load_package(Path(path)))
    model.predict(model.run.example)
    return model

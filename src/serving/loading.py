"""Load a trained run: its best model, its data, and what its items are called."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config.compose import Plain
from src.data.sources.items import read_items
from src.data.sources.side_table import SideTable
from src.run.assembly import make_data
from src.run.finished import read_finished
from src.run.item_table import read_item_table
from src.run.lookup import default_store, find_checkpoint, find_run
from src.run.options import Options, read_options
from src.run.saved import read_changed_options
from src.serving.loaded_run import LoadedRun
from src.training.checkpoints import load_model

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def load_run(
    run: str | Path,
    *,
    items: str | Path | None = None,
    uri: str | None = None,
    data: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
) -> LoadedRun:
    """Load a run by its folder, the folder's name, a checkpoint, or its MLflow id (8 letters do).

    `items`: a table of what items are called, where the data have none. `uri`: the MLflow store of
    an id. `data`: where the data lie now, if they moved: {"root": ..., "path": ...}. `trust`:
    modules of your own that the run may name. Raises UserError for what is not there or damaged.
    """
    own: Plain = {"data": {**(data or {})}, "trust": [*trust]}
    return load_chosen_run(str(run), {"uri": uri or default_store()}, own, items)


def load_chosen_run(
    reference: str, tracking: Mapping[str, Any], own: Plain, items: str | Path | None
) -> LoadedRun:
    """Load a run for a command with the options `own`."""
    folder = find_run(reference, tracking)
    options = read_options(read_changed_options(folder, own))
    prepared = make_data(options).prepared
    checkpoint = find_checkpoint(reference, tracking)
    model = load_model(checkpoint, prepared.n_users, prepared.n_items, trusted=options.trusted)
    name = f"{options.title}, {folder.name}"
    metrics = read_finished(folder)
    return LoadedRun(name, folder, model, prepared, _find_items(options, items), metrics)


def _find_items(options: Options, own: str | Path | None) -> pd.DataFrame | None:
    """Read the user's own table of items, or the data's, where there is one."""
    if own is not None:
        return read_items(SideTable(Path(own).expanduser()))
    return read_item_table(options)

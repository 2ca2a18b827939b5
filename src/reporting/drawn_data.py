"""The data that a picture shows: what training would split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.config.build import build, check
from src.data.filtering import filter_interactions, refuse_filters
from src.data.interactions import Interactions
from src.data.sources.source import ReleasedSplit


def read_interactions(options: Mapping[str, Any]) -> Interactions:
    """Read and filter the interactions that the options of `data` name.

    Of a released split these are the ones that it trains on. Raises UserError for wrong options
    and for a source that can't be read.
    """
    filters = {key: options[key] for key in ("threshold", "k_core")}
    filters = check(filter_interactions, filters, "data")
    read = build(options["source"], "data.source").read()
    if not isinstance(read, ReleasedSplit):
        return filter_interactions(read, **filters)
    refuse_filters(**filters)
    return read.train

"""What a run's items are called, where its data say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.data.sources.items import read_items

if TYPE_CHECKING:
    import pandas as pd

    from src.run.options import Options


def read_item_table(options: Options) -> pd.DataFrame | None:
    """Read `title` and `genres` by raw id, as texts; None where the data have no such table.

    Raises UserError for one that is gone or damaged.
    """
    source = options.data.source.build()
    find = getattr(source, "item_file", None)
    file = find() if find is not None else None
    return None if file is None else read_items(file)

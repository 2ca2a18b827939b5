"""The user's own interactions: CSV, TSV, Parquet or JSON, ids of any kind."""

from __future__ import annotations

from src.data.interactions import Interactions
from src.data.sources.checksums import fingerprint
from src.data.sources.columns import AUTO
from src.data.sources.table_reader import TableReader
from src.errors import UserError


class TableFile:
    """A table of interactions, one a row.

    A column is named by its argument, or found by its name ("auto"); None stands for a table
    without ratings or times. Ids stay integers if all ids of a column are integers, and are strings
    otherwise. Timestamps are numbers or ISO 8601 date-times (read as seconds; UTC where no zone is
    given).
    """

    def __init__(
        self,
        path: str | None,
        user_column: str = AUTO,
        item_column: str = AUTO,
        rating_column: str | None = AUTO,
        timestamp_column: str | None = AUTO,
        separator: str | None = None,
    ) -> None:
        if path is None:
            raise UserError("data=file needs data.path=<your .csv, .tsv, .parquet or .json file>")
        wanted = name_columns(user_column, item_column, rating_column, timestamp_column)
        self.reader = TableReader(path, wanted, separator)

    def fingerprint(self) -> str:
        """Return a hex digest of the file and of how it is read."""
        reader = self.reader
        file, columns = reader.file, reader.columns
        return fingerprint([file], source="TableFile", separator=reader.separator, **columns)

    def read(self) -> Interactions:
        """Read every row in file order. Raises UserError with file and line (in Parquet: row)."""
        return self.reader.read().interactions()


def name_columns(
    user: str, item: str, rating: str | None, timestamp: str | None
) -> dict[str, str | None]:
    """Return the columns that options name, by field."""
    return {"user": user, "item": item, "rating": rating, "timestamp": timestamp}

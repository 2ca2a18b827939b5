"""The user's own interactions: CSV, TSV or Parquet, ids of any kind."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from src.data.interactions import Interactions
from src.data.sources.checksums import fingerprint
from src.data.sources.table import Table, decode
from src.data.sources.text import TextFile, choose_column
from src.errors import UserError, shorten

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
PACKED = (".gz", ".zip")


class TableFile:
    """A table with a header: one interaction a row, with columns named by the arguments.

    Ids stay integers if all ids of a column are integers, and are strings otherwise. Timestamps are
    numbers or ISO 8601 date-times (read as seconds; UTC where no zone is given). If `separator` is
    None, the ending decides: comma for .csv, tab for .tsv and .txt. Text may be packed (.gz, .zip).
    """

    def __init__(
        self,
        path: str | None,
        user_column: str = "user",
        item_column: str = "item",
        rating_column: str | None = None,
        timestamp_column: str | None = None,
        separator: str | None = None,
    ) -> None:
        if path is None:
            raise UserError("data=file needs data.path=<your .csv, .tsv or .parquet file>")
        fields = {
            "user": user_column,
            "item": item_column,
            "rating": rating_column,
            "timestamp": timestamp_column,
        }
        self.path = Path(path).expanduser()
        self.columns = {field: name for field, name in fields.items() if name is not None}
        # a shell or YAML may hand over the two characters of "\t"
        self.separator = None if separator is None else separator.replace("\\t", "\t")
        if self.separator is not None and len(self.separator) != 1 and self.separator != "::":
            raise UserError(f"separator {separator!r}: only one character, or '::', can separate")

    def fingerprint(self) -> str:
        """Return a hex digest of the file and of the options for reading it."""
        return fingerprint(
            [self._existing_path], source="TableFile", separator=self.separator, **self.columns
        )

    def read(self) -> Interactions:
        """Read every row in file order. Raises UserError with file and line (in Parquet: row)."""
        if self._existing_path.suffix == ".parquet":
            return self._read_parquet().interactions()
        return (
            TextFile(self.path, self._choose_separator())
            .read(self.columns, any_ids=True)
            .interactions()
        )

    @cached_property
    def _existing_path(self) -> Path:
        if not self.path.is_file():
            raise UserError(f"data.path={self.path}: no such file")
        return self.path

    def _choose_separator(self) -> str:
        endings = [ending for ending in self.path.suffixes if ending not in PACKED]
        separator = self.separator or SEPARATORS.get(endings[-1] if endings else "")
        if separator is None:
            raise UserError(
                f"{self.path}: the ending tells no format; name it .csv, .tsv or .parquet, "
                "or set data.source.separator"
            )
        return separator

    def _read_parquet(self) -> Table:
        import pyarrow.parquet as pq

        try:
            present = pq.read_schema(self.path).names
            names = [choose_column(name, present, str(self.path)) for name in self.columns.values()]
            read = pq.read_table(self.path, columns=list(dict.fromkeys(names)))
            read.validate(full=True)  # its texts and offsets are looked at only when they are used
            # one series a column; what pandas once said of them beside the data is of no use here
            columns = {name: read.column(name).to_pandas() for name in names}
        except UserError:
            raise
        except Exception as error:  # of many kinds, for damage in one place or another
            reason = shorten(error, 120)
            raise UserError(f"{self.path} can't be read as Parquet: {reason}") from error
        if not read.num_rows:
            raise UserError(f"{self.path} has no rows")
        return Table(
            {field: decode(columns[name]) for field, name in self.columns.items()},
            place=lambda row: f"{self.path}, row {row + 1}",
        )

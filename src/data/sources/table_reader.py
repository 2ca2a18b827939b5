"""Reading a table of the user's own: CSV, TSV, Parquet or JSON, its columns found by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.data.sources.archives import open_unpacked
from src.data.sources.columns import AUTO, NEEDED, list_alike, match_columns
from src.errors import UserError, shorten

if TYPE_CHECKING:
    import pandas as pd

    from src.data.sources.table import Table

log = logging.getLogger(__name__)

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
PACKED = (".gz", ".zip")
JSON = (".json", ".jsonl", ".ndjson")

# What fields are for, where that is not plain
USES = {"rating": " (for data.threshold and losses on ratings only)"}


class TableReader:
    """A table with a header, or JSON records; which column is which is told or found by its name.

    If `separator` is None, the ending decides: comma for .csv, tab for .tsv and .txt. Text and JSON
    may be packed (.gz, .zip).
    """

    def __init__(
        self,
        path: str,
        wanted: Mapping[str, str | None],
        separator: str | None = None,
        *,
        option: str = "data.path",
        prefix: str = "data.source.",
    ) -> None:
        """`wanted`: as `match_columns` has it; `option` and `prefix` name options in messages."""
        self.path, self.wanted = Path(path).expanduser(), wanted
        # a shell or YAML may hand over the two characters of "\t"
        self.separator = None if separator is None else separator.replace("\\t", "\t")
        if self.separator is not None and len(self.separator) != 1 and self.separator != "::":
            raise UserError(f"separator {separator!r}: only one character, or '::', can separate")
        self.option, self.prefix = option, prefix

    @cached_property
    def file(self) -> Path:
        """The file. Raises UserError when it isn't there."""
        if not self.path.is_file():
            raise UserError(f"{self.option}={self.path}: no such file")
        return self.path

    @cached_property
    def columns(self) -> dict[str, str]:
        """The column of each field that the table has; the log says what was found by its name."""
        present = self._read_header()
        chosen = match_columns(self.wanted, present, str(self.file), self.prefix)
        if any(self.wanted[field] == AUTO for field in chosen):
            taken = [f"{field} from {name}{USES.get(field, '')}" for field, name in chosen.items()]
            log.info("%s: %s", self.file.name, ", ".join(taken))
        if self.wanted.get("timestamp", AUTO) != AUTO:
            self._tell_of_unused_times(present, chosen)
        return chosen

    def _tell_of_unused_times(self, present: list[str], chosen: Mapping[str, str]) -> None:
        unused = list_alike("timestamp", set(present) - set(chosen.values()))
        if unused:
            said = self.wanted["timestamp"] or "null"
            option = f"{self.prefix}timestamp_column"
            log.info(
                "%s: column %s looks like times and is not used, because of %s=%s",
                *(self.file.name, unused[0], option, said),
            )

    def read(self) -> Table:
        """Read every row in file order. Raises UserError that names the file."""
        if self._ending == ".parquet":
            table = self._read_parquet()
        elif self._ending in JSON:
            table = self._read_json()
        else:
            table = self._text.read(self.columns, any_ids=True)
        optional = [f for f in self.columns if self.wanted[f] == AUTO and f not in NEEDED]
        advice = {f: f"; {self.prefix}{f}_column=null leaves these out" for f in optional}
        return replace(table, advice=advice)

    @property
    def _ending(self) -> str:
        endings = [ending for ending in self.path.suffixes if ending not in PACKED]
        return endings[-1] if endings else ""

    def _read_header(self) -> list[str]:
        if self._ending in JSON:
            return [str(name) for name in self._records.columns]
        if self._ending != ".parquet":
            return self._text.read_first_row()
        import pyarrow.parquet as pq

        try:
            return pq.read_schema(self.file).names
        except Exception as error:  # of many kinds, for damage in one place or another
            raise self._unreadable(error) from error

    @cached_property
    def _text(self) -> Any:
        from src.data.sources.text import TextFile  # pandas loads only where files are read

        separator = self.separator or SEPARATORS.get(self._ending)
        if separator is None:
            raise UserError(
                f"{self.file}: the ending tells no format; name it .csv, .tsv, .parquet or .json, "
                f"or set {self.prefix}separator"
            )
        return TextFile(self.file, separator)

    @cached_property
    def _records(self) -> pd.DataFrame:
        """The records of a JSON file: a list of them, or one a line."""
        import pandas as pd

        lines = self._ending != ".json"
        try:
            with open_unpacked(self.file) as opened:
                found = pd.read_json(opened, lines=lines, dtype=False, convert_dates=False)
        except UserError:
            raise
        except Exception as error:  # of many kinds, for damage in one place or another
            reason = shorten(error, 120)
            raise UserError(f"{self.file} can't be read as JSON records: {reason}") from error
        if not len(found):
            raise UserError(f"{self.file} has no rows")
        return found

    def _read_json(self) -> Table:
        from src.data.sources.table import Table

        return Table(
            {field: self._records[name] for field, name in self.columns.items()},
            place=lambda row: f"{self.file}, record {row + 1}",
        )

    def _read_parquet(self) -> Table:
        import pyarrow.parquet as pq

        from src.data.sources.table import Table, decode

        names = list(dict.fromkeys(self.columns.values()))
        try:
            read = pq.read_table(self.file, columns=names)
            read.validate(full=True)  # its texts and offsets are looked at only when they are used
            # one series a column; what pandas once said of them beside the data is of no use here
            columns = {name: read.column(name).to_pandas() for name in names}
        except Exception as error:  # of many kinds, for damage in one place or another
            raise self._unreadable(error) from error
        if not read.num_rows:
            raise UserError(f"{self.file} has no rows")
        return Table(
            {field: decode(columns[name]) for field, name in self.columns.items()},
            place=lambda row: f"{self.file}, row {row + 1}",
        )

    def _unreadable(self, error: Exception) -> UserError:
        return UserError(f"{self.file} can't be read as Parquet: {shorten(error, 120)}")

"""Tables that stand beside interactions: what is known of items, and of users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from src.data.sources.archives import open_unpacked
from src.errors import UserError, shorten

if TYPE_CHECKING:
    import pandas as pd


class SideTable(NamedTuple):
    """A file of items or of users, packed as `member` of an archive or by itself."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.member} in {self.path}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.member or self.path.name


def read_side_table(
    table: SideTable, of: str, read: Callable[[SideTable], pd.DataFrame]
) -> pd.DataFrame:
    """Return what `read` makes of the file: texts, by id as a text, each id once.

    of: "items" or "users". Raises UserError that names the file, for whatever `read` stumbles over.
    """
    try:
        found = read(table)
    except OSError as error:
        raise UserError(f"{table} can't be read: {error.strerror or error}") from error
    except UserError:
        raise
    except Exception as error:  # pandas' and pyarrow's are of many kinds, for damage here or there
        raise UserError(f"{table} can't be read as a table of {of}: {shorten(error)}") from error
    found = found.fillna("").astype(str)
    found.index = found.index.astype(str)
    return found[~found.index.duplicated()]


def read_text(table: SideTable, separator: str, names: Sequence[str]) -> pd.DataFrame:
    """Read a file without a header as GroupLens publishes it, by its first column."""
    import pandas as pd

    with open_unpacked(table.path, table.member) as opened:
        return pd.read_csv(
            opened, sep=separator, names=list(names), encoding="latin-1", engine="python",
            dtype=str, keep_default_na=False, quoting=3, index_col=names[0],
        )  # fmt: skip


def read_with_header(table: SideTable) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file that names its columns."""
    import pandas as pd

    if table.name.endswith(".parquet"):
        return pd.read_parquet(table.path)
    separator = "\t" if ".tsv" in table.name or ".txt" in table.name else ","
    with open_unpacked(table.path, table.member) as opened:
        return pd.read_csv(opened, sep=separator, dtype=str, keep_default_na=False)


def find_column(table: pd.DataFrame, file: SideTable, field: str, known: Sequence[str]) -> str:
    """Return the column that has one of the known names. Raises UserError where there is none."""
    for name in known:
        if name in table:
            return name
    shown = shorten(", ".join(map(repr, table.columns)), 80)
    raise UserError(f"{file} has no column {field} ({', '.join(known)}), only {shown}")

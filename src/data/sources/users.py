"""What is known of users: a table of gender, age and the like, for results by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.data.sources.side_table import (
    SideTable,
    find_column,
    read_side_table,
    read_text,
    read_with_header,
)

if TYPE_CHECKING:
    import pandas as pd

# Names that tables of users use
USER_COLUMNS = ("user", "userId", "user_id", "userID", "reviewerID", "id")


def read_users(file: SideTable) -> pd.DataFrame:
    """Read the columns of each user as texts, by his id as a text.

    users.dat and u.user as GroupLens publishes them; or a CSV, TSV or Parquet file with a header.
    Raises UserError that names the file.
    """
    return read_side_table(file, "users", _read)


def _read(file: SideTable) -> pd.DataFrame:
    if file.name.endswith("u.user"):
        return read_text(file, "|", ["user", "age", "gender", "occupation", "zip"])
    if file.name.endswith(".dat"):
        return read_text(file, "::", ["user", "gender", "age", "occupation", "zip"])
    table = read_with_header(file)
    user = find_column(table, file, "user", USER_COLUMNS)
    return table.assign(**{user: table[user].astype(str)}).set_index(user)

"""Groups of users that the user's own table makes: by gender, by age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from src.config.build import check
from src.data.sources.side_table import SideTable
from src.data.sources.users import read_users
from src.errors import UserError, did_you_mean
from src.reporting.comparison.configuration_names import parse_number

# More groups than these no picture has room for
MOST_GROUPS = 24
# Columns that are shown without being asked for have no more
FEW_GROUPS = 8


def read_user_groups(options: dict[str, Any]) -> pd.DataFrame | None:
    """Return the columns of `users=FILE` by which results are shown, by user; None without a file.

    by=gender,age chooses them, else those with few values are taken. Raises UserError for a column
    that the file has not, or that has too many values.
    """

    def typed(users: str | None, by: list[str] | None) -> None: ...

    given = check(typed, {name: options[name] for name in ("users", "by")}, "")
    if given["users"] is None:
        if given["by"]:
            raise UserError(f"by={','.join(given['by'])}: add users=FILE, a table with that column")
        return None
    file = SideTable(Path(given["users"]).expanduser())
    table = read_users(file)
    columns = [str(name) for name in table]
    wanted = given["by"]
    if wanted is None:
        wanted = [name for name in columns if 1 < table[name].nunique() <= FEW_GROUPS]
        if not wanted:
            raise UserError(f"{file}: no column has 2 to {FEW_GROUPS} values; say which, by=COLUMN")
    for name in wanted:
        if name not in columns:
            hint = did_you_mean(name, columns)
            raise UserError(f"by={name}: {file} has the columns {', '.join(columns)}{hint}")
        if table[name].nunique() > MOST_GROUPS:
            n = table[name].nunique()
            raise UserError(f"by={name}: {n:,} different values, and {MOST_GROUPS} can be shown")
    return table[list(wanted)]


def order_groups(groups: pd.Series[str]) -> list[str]:
    """Return the values of a column, as numbers if they are, else as words; unknown ones last."""
    known = sorted(set(groups) - {""})
    numbers = {group: parse_number(group) for group in known}
    if None not in numbers.values():
        known.sort(key=lambda group: numbers[group] or 0.0)
    return [*known, ""] if "" in set(groups) else known

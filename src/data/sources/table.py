"""Raw columns, as read from a file of any format, turned into Interactions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.data.interactions import Interactions
from src.errors import UserError, shorten

# Bytes that are no UTF-8 (Latin-1 names) stay distinct and can be printed.
DECODING = "backslashreplace"


@dataclass(frozen=True)
class Table:
    """The unchecked columns of one file. Errors name the first row at fault."""

    columns: dict[str, pd.Series[Any]]
    """The columns by field: "user", "item" and, where the file has them, "rating", "timestamp"."""
    place: Callable[[int], str]
    """The place of a row, for error messages: 0 -> "ratings.csv, line 2"."""
    advice: Mapping[str, str] = field(default_factory=dict)
    """What to add to a message about a value of some field."""

    def interactions(self) -> Interactions:
        """Convert all rows in file order; ids count from 0 by first appearance."""
        users, user_ids = self._number_ids("user")
        items, item_ids = self._number_ids("item")
        return Interactions(users, items, user_ids, item_ids, self.ratings(), self.timestamps())

    def integers(self, field: str) -> NDArray[np.int64]:
        """Convert the column to whole numbers."""
        column = self._require_complete(field)
        if column.dtype.kind == "i":
            return column.to_numpy(np.int64)
        numbers = _to_numbers(column)
        # beyond 2**53 a float is not the number that was written
        whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < 2.0**53)
        self._require_all(column, field, whole, "is not an integer")
        return numbers.astype(np.int64)

    def contiguous(self, field: str) -> NDArray[np.int32]:
        """Convert the column to ids, which must already count from 0."""
        ids = self.integers(field)
        good = (ids >= 0) & (ids < most_ids(ids))
        self._require_all(self.columns[field], field, good, "is not an id that counts from 0")
        return ids.astype(np.int32)

    def ratings(self) -> NDArray[np.float32] | None:
        """Convert the ratings to finite float32 [n]; return None without such a column."""
        if "rating" not in self.columns:
            return None
        with np.errstate(over="ignore"):
            ratings = self.numbers("rating").astype(np.float32)
        finite = np.isfinite(ratings)
        self._require_all(self.columns["rating"], "rating", finite, "is not a number")
        return ratings

    def numbers(self, field: str) -> NDArray[np.float64]:
        """Convert the column to finite numbers [n]."""
        column = self._require_complete(field)
        numbers = _to_numbers(column)
        self._require_all(column, field, np.isfinite(numbers), "is not a number")
        return numbers

    def timestamps(self) -> NDArray[np.int64] | None:
        """Convert times to int64 [n]: the whole part of numbers, dates in seconds since 1970."""
        if "timestamp" not in self.columns:
            return None
        column = self._require_complete("timestamp")
        if column.dtype.kind == "i":
            return column.to_numpy(np.int64)
        numbers = None
        if column.dtype.kind != "M":
            numbers = _to_numbers(column)
        # The first row tells which of the two the column holds; the others have to follow it.
        if numbers is not None and not np.isnan(numbers[0]):
            self._require_all(column, "timestamp", np.abs(numbers) < 2.0**63, "is not a number")
            return numbers.astype(np.int64)
        dates = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
        problem = "is neither a number nor an ISO 8601 date-time"
        self._require_all(column, "timestamp", dates.notna().to_numpy(), problem)
        return dates.to_numpy("datetime64[s]").astype(np.int64)

    def fail(self, row: int, problem: str) -> NoReturn:
        """Raise the UserError that names the row and its problem."""
        raise UserError(f"{self.place(row)}: {problem}")

    def _number_ids(self, field: str) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Number the ids by first appearance: contiguous ids [n], and the raw id of each."""
        column = self._require_complete(field)
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, order = pd.factorize(column.cat.codes.to_numpy())
            raw = _convert_to_integers(column.cat.categories.to_numpy(object))[order]
        elif column.dtype.kind in "iu":
            codes, raw = pd.factorize(column.to_numpy())
        else:
            codes, raw = pd.factorize(column.astype(str).to_numpy(object))
        if raw.dtype.kind not in "iu":
            # numpy takes a zero byte for the end of a text
            raw = np.array([str(text).replace("\0", "\\x00") for text in raw], np.str_)
        return codes.astype(np.int32), raw

    def _require_complete(self, field: str) -> pd.Series[Any]:
        column = self.columns[field]
        missing = column.isna().to_numpy()
        if missing.any():
            self.fail(int(missing.argmax()), f"no {field}{self.advice.get(field, '')}")
        return column

    def _require_all(
        self, column: pd.Series[Any], field: str, good: NDArray[np.bool_], problem: str
    ) -> None:
        if not good.all():
            row = int(good.argmin())
            said = f"{field} {shorten(column.iloc[row])!r} {problem}"
            self.fail(row, f"{said}{self.advice.get(field, '')}")


def most_ids(*parts: NDArray[np.integer[Any]]) -> int:
    """Return how many ids there can be that count from 0, with gaps, where these occur.

    Everything has as many rows as there are ids: one that is mistyped would need them all.
    """
    different = len(np.unique(np.concatenate([part.ravel() for part in parts])))
    return 1000 + 100 * different


def decode(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of texts for one of bytes; those that are no UTF-8 stay distinct."""

    def as_text(value: object) -> object:
        return value.decode(errors=DECODING) if isinstance(value, bytes) else value

    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        return column.cat.rename_categories([as_text(one) for one in categories])
    return column.map(as_text) if column.dtype == object else column


def _to_numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Convert a column to numbers [n]; what is none becomes NaN."""
    try:
        return pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    except (TypeError, ValueError):  # lists and the like
        return np.full(len(column), np.nan)


def _convert_to_integers(texts: NDArray[Any]) -> NDArray[Any]:
    """Convert to integers if every text is one as Python writes it; "007" is not 7, but itself."""
    try:
        numbers = texts.astype(np.int64)
    except (ValueError, OverflowError):
        return texts
    return numbers if np.array_equal(numbers.astype(str), texts.astype(str)) else texts

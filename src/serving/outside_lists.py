"""Reading lists that any other library made, by the raw ids of some data."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.interactions import encode_distinct_pairs
from src.data.prepared import Prepared
from src.data.sources.columns import AUTO
from src.data.sources.table_reader import TableReader
from src.errors import UserError, shorten
from src.serving.listed_scores import ListedScores
from src.serving.vocabulary import Vocabulary

log = logging.getLogger(__name__)


class OutsideLists:
    """A table with a row for each item recommended to a user, and its score or its rank.

    CSV, TSV, Parquet or JSON. Where it has both, the score counts, which shows ties.
    """

    def __init__(
        self,
        path: str,
        user_column: str = AUTO,
        item_column: str = AUTO,
        score_column: str | None = AUTO,
        rank_column: str | None = AUTO,
        separator: str | None = None,
    ) -> None:
        """Name the columns, or let them be found by their names; nothing is read yet."""
        wanted = {
            "user": user_column,
            "item": item_column,
            "score": score_column,
            "rank": rank_column,
        }
        self.reader = TableReader(path, wanted, separator, option="lists", prefix="")

    @property
    def file(self) -> Path:
        """The file. Raises UserError when it isn't there."""
        return self.reader.file

    def read(self, prepared: Prepared) -> ListedScores:
        """Return the lists as a model of the data.

        Rows of users or items that the data don't have are dropped, and the log says how many.
        Raises UserError for a table that is none of lists.
        """
        columns = self.reader.columns
        order = next((field for field in ("score", "rank") if field in columns), None)
        if order is None:
            raise UserError(
                f"{self.file} has neither scores nor ranks: score_column=NAME or rank_column=NAME "
                "says where they are"
            )
        table = self.reader.read()
        rows = table.interactions()
        scores = table.numbers(order) * (1 if order == "score" else -1)
        train = prepared.split.train
        users = _renumber(rows.user_ids, train.user_ids)[rows.users]
        items = _renumber(rows.item_ids, train.item_ids)[rows.items]
        self._refuse_strangers("user", users, rows.user_ids, train.user_ids)
        self._refuse_strangers("item", items, rows.item_ids, train.item_ids)
        known = (users >= 0) & (items >= 0)
        users, items, scores = users[known], items[known], scores[known]
        if len(encode_distinct_pairs(users, items, prepared.n_items)) < len(users):
            raise UserError(f"{self.file}: some user has the same item twice")
        self._tell(order, len(known), users, items, prepared)
        model = ListedScores(prepared.n_users, prepared.n_items)
        model.hold(users, items, scores)
        return model

    def _refuse_strangers(
        self, field: str, numbers: NDArray[Any], own: NDArray[Any], data: NDArray[Any]
    ) -> None:
        """Raise UserError if the data have none of these ids."""
        if not (numbers >= 0).any():
            raise UserError(
                f"{self.file}: no {field} is in the data, where {field}s are called "
                f"{shorten(data[0], 20)}, not {shorten(own[0], 20)}"
            )

    def _tell(
        self, order: str, n_rows: int, users: NDArray[Any], items: NDArray[Any], prepared: Prepared
    ) -> None:
        """Log what the lists have of the data: few of the targets may mean another split."""
        test = prepared.split.test
        tested = np.unique(test.users)
        listed = encode_distinct_pairs(users, items, prepared.n_items)
        targets = test.users.astype(np.int64) * prepared.n_items + test.items
        log.info(
            "%s: %d rows in order of %s; %d of users or items that the data don't have were "
            "dropped; %d of %d tested users have a list, and %d of %d test items are in it",
            *(self.file.name, n_rows, order, n_rows - len(users)),
            *(int(np.isin(tested, users).sum()), len(tested)),
            *(int(np.isin(targets, listed).sum()), len(targets)),
        )


def _renumber(raw: NDArray[Any], known: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of each raw id among those known, -1 where it is none."""
    vocabulary = Vocabulary(known)
    numbers = [vocabulary.find(one) for one in raw.tolist()]
    return np.array([-1 if number is None else number for number in numbers], np.int64)

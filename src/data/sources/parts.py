"""A split of the user's own: a table for each part and, if wanted, one of the test candidates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.filtering import keep_latest_of_pairs
from src.data.interactions import IntArray, Interactions, encode_distinct_pairs
from src.data.sources.checksums import fingerprint
from src.data.sources.columns import AUTO
from src.data.sources.file import name_columns
from src.data.sources.source import ReleasedSplit
from src.data.sources.table_reader import TableReader
from src.errors import UserError

log = logging.getLogger(__name__)

IDS = ("user", "item")


class PartFiles:
    """Tables of training, test and perhaps validation, in the formats of `TableFile`.

    `validation_path`: a file; anything else leaves validation to be taken from training. A table of
    candidates has a row (user, item) for each negative that the user's test items are ranked among,
    equally many for all users. Columns have the same names in all tables, or are found by them.
    """

    def __init__(
        self,
        train_path: str | None,
        test_path: str | None,
        validation_path: str | bool | None = None,
        candidates_path: str | None = None,
        user_column: str = AUTO,
        item_column: str = AUTO,
        rating_column: str | None = AUTO,
        timestamp_column: str | None = AUTO,
        separator: str | None = None,
    ) -> None:
        if train_path is None or test_path is None:
            raise UserError(
                "data=parts needs data.train=FILE and data.test=FILE; data.validation=FILE and "
                "data.candidates_file=FILE may be given too"
            )
        wanted = name_columns(user_column, item_column, rating_column, timestamp_column)
        paths = {"train": train_path, "validation": validation_path, "test": test_path}
        self.readers = {
            part: TableReader(path, wanted, separator, option=f"data.{part}")
            for part, path in paths.items()
            if isinstance(path, str)
        }
        self.candidates: TableReader | None = None
        if candidates_path is not None:
            ids = {field: wanted[field] for field in IDS}
            option = "data.candidates_file"
            self.candidates = TableReader(candidates_path, ids, separator, option=option)
        self.given_parts = ("val", "test") if "validation" in self.readers else ("test",)

    def fingerprint(self) -> str:
        """Return a hex digest of all files and of how they are read."""
        readers = [*self.readers.values(), *([self.candidates] if self.candidates else [])]
        columns = {
            f"{reader.option}.{field}": name
            for reader in readers
            for field, name in reader.columns.items()
        }
        files = [reader.file for reader in readers]
        separator = readers[0].separator
        return fingerprint(files, source="PartFiles", separator=separator, **columns)

    def read(self) -> ReleasedSplit:
        """Read all parts in file order. Raises UserError with file and line (in Parquet: row)."""
        parts = {name: reader.read().interactions() for name, reader in self.readers.items()}
        negatives = self.candidates.read().interactions() if self.candidates else None
        joined = _join_ids([*parts.values(), *([] if negatives is None else [negatives])])
        kept = dict(zip(parts, map(keep_latest_of_pairs, joined), strict=False))
        kept = _share_columns({name: _drop_strangers(name, part) for name, part in kept.items()})
        train, test = kept["train"], kept["test"]
        for name in kept.keys() - {"train"}:
            _tell_of_leaks(name, train, kept[name])
        listed = None if negatives is None else self._list_candidates(joined[-1], test)
        return ReleasedSplit(train, test, listed, kept.get("validation"))

    def _list_candidates(self, rows: Interactions, test: Interactions) -> IntArray:
        """Return the candidates of each test row: int32 [len(test), C]."""
        assert self.candidates is not None
        tested = np.unique(test.users)
        rows = rows.take(np.isin(rows.users, tested))
        pairs = encode_distinct_pairs(rows.users, rows.items, rows.n_items)
        if len(pairs) < len(rows):
            raise UserError(f"{self.candidates.file}: some user has the same candidate twice")
        counts = np.bincount(rows.users, minlength=rows.n_users)[tested]
        most = int(counts.max(initial=0))
        if (counts < most).any() or not most:
            user = test.user_ids[tested[counts.argmin()]]
            raise UserError(
                f"{self.candidates.file}: user {user} has {counts.min()} candidates, and others "
                f"{most}; every user of {self.readers['test'].file} needs as many"
            )
        order = np.argsort(rows.users, kind="stable")
        table = rows.items[order].reshape(len(tested), most)
        return table[np.searchsorted(tested, test.users)]


def _join_ids(parts: Sequence[Interactions]) -> list[Interactions]:
    """Give all parts the ids of all, numbered by first appearance: users of the first, -1 else."""
    import pandas as pd

    users = _make_alike([part.user_ids for part in parts])
    items = _make_alike([part.item_ids for part in parts])
    codes, every = pd.factorize(np.concatenate(items).astype(object))
    item_ids = np.array(every.tolist(), items[0].dtype if items[0].dtype.kind in "iu" else np.str_)
    of_part = np.split(codes.astype(np.int32), np.cumsum([len(ids) for ids in items])[:-1])
    known = pd.Index(users[0].astype(object))
    return [
        replace(
            part,
            users=known.get_indexer(pd.Index(own.astype(object))).astype(np.int32)[part.users],
            items=numbers[part.items],
            user_ids=users[0],
            item_ids=item_ids,
        )
        for part, own, numbers in zip(parts, users, of_part, strict=True)
    ]


def _make_alike(ids: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return ids as integers where all of them are, otherwise all as texts."""
    if all(own.dtype.kind in "iu" for own in ids):
        return list(ids)
    return [own.astype(np.str_) for own in ids]


def _drop_strangers(name: str, part: Interactions) -> Interactions:
    """Drop the rows of users who are not in training, and log how many."""
    strange = part.users < 0
    if strange.any():
        log.info("data.%s: %d rows of users who are not in data.train dropped", name, strange.sum())
    return part.take(~strange)


def _share_columns(parts: dict[str, Interactions]) -> dict[str, Interactions]:
    """Leave ratings and times to the parts only where all of them have these."""
    for column in ("ratings", "timestamps"):
        lacking = [name for name, part in parts.items() if getattr(part, column) is None]
        if lacking and len(lacking) < len(parts):
            log.info("data.%s has no %s: they are used of no part", lacking[0], column)
        if lacking:
            parts = {n: replace(part, **{column: None}) for n, part in parts.items()}  # type: ignore[arg-type]
    return parts


def _tell_of_leaks(name: str, train: Interactions, part: Interactions) -> None:
    """Tell of pairs that are in training too."""
    known = encode_distinct_pairs(train.users, train.items, train.n_items)
    pairs = part.users.astype(np.int64) * part.n_items + part.items
    leaked = int(np.isin(pairs, known).sum())
    if leaked:
        log.warning(
            "%d of %d rows of data.%s are in data.train too: what is measured on them is no "
            "prediction",
            *(leaked, len(pairs), name),
        )

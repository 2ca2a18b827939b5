"""A trained run in memory, asked with raw ids and answering with raw ids."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions, encode_distinct_pairs
from src.data.prepared import Prepared
from src.data.slices import ItemsByUser
from src.errors import UserError, shorten
from src.models import Recommender
from src.serving.vocabulary import Vocabulary

# Scores that are held at a time: 64 MB
SCORES_PER_CHUNK = 1 << 24


class LoadedRun:
    """A run's best model, the data it was trained on, and what its items are called."""

    def __init__(
        self,
        name: str,
        folder: Path,
        model: Recommender,
        prepared: Prepared,
        items: pd.DataFrame | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Take a model and the data that it was trained on.

        `name`: for people. `items`: title and genres by raw id, as texts. `metrics`: of the run.
        """
        self.name, self.folder, self.model, self.items = name, folder, model, items
        self.prepared, self.metrics = prepared, dict(metrics or {})
        self.users = Vocabulary(prepared.split.train.user_ids)
        self.catalogue = Vocabulary(prepared.split.train.item_ids)

    @cached_property
    def seen(self) -> ItemsByUser:
        """What users had seen when test was scored: training and validation."""
        return ItemsByUser.of((self.prepared.split.train, self.prepared.split.validation))

    @cached_property
    def held_out(self) -> NDArray[np.int64]:
        """What users went on to, the pairs of the test part: user * n_items + item, sorted."""
        test = self.prepared.split.test
        return encode_distinct_pairs(test.users, test.items, self.prepared.n_items)

    @cached_property
    def popularity(self) -> NDArray[np.int64]:
        """How many training interactions each item has: int64 [n_items]."""
        return np.bincount(self.prepared.split.train.items, minlength=self.prepared.n_items)

    def recommend(
        self, users: Iterable[object] | None = None, k: int = 10, *, seen: bool = False
    ) -> pd.DataFrame:
        """Return the k best items of each user, of all by default: user, rank, item, score, ...

        What users had seen is left out unless `seen`. `held_out` marks what is in their test part.
        Users whom the data don't have get the most popular items, with a warning.
        """
        if users is None:
            return pd.concat(self.stream(k, seen=seen), ignore_index=True)
        asked = _as_list(users)
        known, unknown = self.users.split(asked)
        tables = [self._recommend_known(known, k, seen)] if len(known) else []
        for user in unknown:
            tables.append(self._recommend_popular(user, k))
        if unknown:
            names = shorten(", ".join(unknown), 80)
            warnings.warn(
                f"not in the data: user {names}; these are the most popular items", stacklevel=2
            )
        return pd.concat(tables, ignore_index=True) if tables else self._no_rows()

    def recommend_for(
        self, history: Iterable[object], k: int = 10, *, seen: bool = False
    ) -> pd.DataFrame:
        """Return the k best items for somebody known by these items alone: rank, item, score, ...

        `history`: earliest first, for models that know the order.
        Raises UserError where the model knows users by their ids, or an item isn't in the data.
        """
        numbers = torch.tensor(list(dict.fromkeys(self._find_items(_as_list(history)).tolist())))
        with torch.no_grad():
            scores = self.model.fold_in(numbers)[None].to(torch.float32, copy=True)
        if not seen:
            scores[0, numbers] = -torch.inf
        return self._table(*_best(scores, k)).drop(columns=["user", "held_out"])

    def stream(self, k: int = 10, *, seen: bool = False) -> Iterator[pd.DataFrame]:
        """Yield what `recommend` returns of all users, some thousand at a time."""
        every = np.arange(self.prepared.n_users)
        step = max(1, SCORES_PER_CHUNK // self.prepared.n_items)
        for start in range(0, len(every), step):
            yield self._recommend_known(every[start : start + step], k, seen)

    def scores(self, users: Iterable[object], items: Iterable[object]) -> pd.DataFrame:
        """Return the model's scores of items [C] for users [P], as a table with their raw ids.

        Raises UserError for an id that the data don't have.
        """
        rows, columns = _as_list(users), _as_list(items)
        known, unknown = self.users.split(rows)
        if unknown:
            raise UserError(f"not in the data: user {shorten(', '.join(unknown), 80)}")
        numbers = torch.from_numpy(self._find_items(columns))
        with torch.no_grad():
            found = self.model.score(torch.from_numpy(known)[:, None], numbers[None])
        return pd.DataFrame(found.numpy(), index=rows, columns=columns)

    def similar_items(self, item: object, k: int = 10) -> pd.DataFrame:
        """Return the k items nearest to one: rank, item, similarity, ...

        By the model's weights between items or the cosine of its item vectors; by the cosine of who
        had them where a model has neither. Raises UserError for an item that isn't in the data.
        """
        (number,) = self._find_items([item])
        with torch.no_grad():
            similar = self.model.similar_to(int(number))
        similarities = self._similar_by_users(number) if similar is None else similar.float()
        similarities = similarities.clone()
        similarities[number] = -torch.inf
        table = self._table(*_best(similarities[None], k))
        return table.drop(columns=["user", "held_out"]).rename(columns={"score": "similarity"})

    def history(self, user: object) -> pd.DataFrame:
        """Return what a user had, latest first where times are known: item, part, ...

        Raises UserError for a user whom the data don't have.
        """
        number = self.users.find(user)
        if number is None:
            raise UserError(f"not in the data: user {shorten(user)}")
        split = self.prepared.split
        parts = (("train", split.train), ("val", split.validation), ("test", split.test))
        found = [self._history_in(name, part, number) for name, part in parts]
        table = pd.concat([one for one in found if len(one)], ignore_index=True)
        if "time" in table:
            table = table.sort_values("time", ascending=False, kind="stable", ignore_index=True)
        return table

    def find_titles(self, words: str, most: int) -> pd.DataFrame:
        """Return the most popular items whose title or id has these words: item, title, ..."""
        wanted = words.lower().split()
        texts = self._searched["text"]
        found = (n for n, text in enumerate(texts) if all(word in text for word in wanted))
        return self._searched.iloc[list(islice(found, most))].drop(columns="text")

    @cached_property
    def _searched(self) -> pd.DataFrame:
        """The items, the most popular first, with the text that is searched."""
        columns = self.describe(np.argsort(-self.popularity, kind="stable"))
        shown = zip(columns.get("title", columns["item"]), columns["item"], strict=True)
        return pd.DataFrame(
            {**columns, "text": [f"{title} {item}".lower() for title, item in shown]}
        )

    @property
    def example(self) -> pd.DataFrame:
        """A table of one user's raw id, as `recommend` takes them."""
        return pd.DataFrame({"user": self.users.raw[:1]})

    def describe(self, numbers: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return columns of what is known of items [n]: raw id, and title and genres if known."""
        raw = self.catalogue.raw[numbers]
        columns = {"item": raw}
        if self.items is not None:
            named = self.items.reindex([str(one) for one in raw.tolist()]).fillna("")
            columns |= {name: named[name].to_numpy() for name in ("title", "genres")}
        return columns

    def _history_in(self, name: str, part: Interactions, user: int) -> pd.DataFrame:
        places = np.flatnonzero(part.users == user)
        columns = self.describe(part.items[places])
        if part.ratings is not None:
            columns["rating"] = part.ratings[places]
        if part.timestamps is not None:
            columns["time"] = part.timestamps[places]
        return pd.DataFrame({**columns, "part": name})

    def _recommend_known(self, users: NDArray[np.int64], k: int, seen: bool) -> pd.DataFrame:
        chunk = torch.from_numpy(users)
        with torch.no_grad():
            scores = self.model.score_all(chunk).to(torch.float32, copy=True)
        if not seen:
            scores[self.seen.mark(chunk)] = -torch.inf
        return self._table(*_best(scores, k), users)

    def _recommend_popular(self, user: str, k: int) -> pd.DataFrame:
        scores = torch.from_numpy(self.popularity).float()[None]
        return self._table(*_best(scores, k)).assign(user=user)

    def _table(
        self, scores: Tensor, items: Tensor, users: NDArray[np.int64] | None = None
    ) -> pd.DataFrame:
        """Return a row for each of items [P, k] with its score, without what is -inf."""
        rows, places = torch.isfinite(scores).nonzero(as_tuple=True)
        numbers = items[rows, places].numpy()
        table = pd.DataFrame({"rank": places.numpy() + 1, **self.describe(numbers)})
        table.insert(2, "score", scores[rows, places].numpy())
        whose = None if users is None else users[rows.numpy()]
        table.insert(0, "user", "" if whose is None else self.users.raw[whose])
        table["held_out"] = False
        if whose is not None:
            table["held_out"] = np.isin(whose * self.prepared.n_items + numbers, self.held_out)
        return table

    def _no_rows(self) -> pd.DataFrame:
        return self._table(torch.zeros(0, 1), torch.zeros(0, 1, dtype=torch.long))

    def _similar_by_users(self, item: int) -> Tensor:
        train = self.prepared.split.train
        having = np.zeros(train.n_users, bool)
        having[train.users[train.items == item]] = True
        shared = np.bincount(train.items[having[train.users]], minlength=train.n_items)
        lengths = np.sqrt(np.maximum(self.popularity * self.popularity[item], 1))
        return torch.from_numpy(shared / lengths).float()

    def _find_items(self, raw: Sequence[object]) -> NDArray[np.int64]:
        numbers, unknown = self.catalogue.split(raw)
        if unknown:
            raise UserError(f"not in the data: item {shorten(', '.join(unknown), 80)}")
        if not len(numbers):
            raise UserError("no items were given")
        return numbers


def _as_list(ids: Iterable[object]) -> list[object]:
    """Return ids as a list, also a single one."""
    return [ids] if isinstance(ids, str | int) else list(ids)


def _best(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest of each row of scores [P, n], and where they are: [P, k] each."""
    if k < 1:
        raise UserError(f"k={k}: at least 1")
    scores = scores.masked_fill(scores.isnan(), -torch.inf)
    return torch.topk(scores, min(k, scores.shape[1]))

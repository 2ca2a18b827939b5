"""Recommendations from raw ids to raw ids, on a model whose scores are written down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.data.prepared import Prepared
from src.data.splitting import Split
from src.errors import UserError
from src.models import EASE, Recommender
from src.serving import loaded_run
from src.serving.loaded_run import LoadedRun

USERS, ITEMS = np.array(["ann", "bob", "cid"]), np.array([10, 20, 30, 40])
# ann's best is 40, bob's 10, cid's 20
SCORES = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.9, 0.5, 0.6, 0.7], [0.3, 0.8, 0.2, 0.1]])


class Written(Recommender):
    """Scores by SCORES."""

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        return SCORES[users, items]

    def item_vectors(self) -> Tensor:
        return torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 1.0], [0.0, -3.0]])


class WithoutVectors(Written):
    def item_vectors(self) -> None:  # type: ignore[override]
        return None


def part(*pairs: tuple[int, int], times: list[int] | None = None) -> Interactions:
    users, items = (np.array([pair[i] for pair in pairs], np.int32) for i in (0, 1))
    found = None if times is None else np.array(times)
    return Interactions(users, items, USERS, ITEMS, timestamps=found)


# ann had 40 and 10, and went on to 20 (validation) and 30 (test); bob had 10
PREPARED = Prepared(
    Split(
        train=part((0, 3), (1, 0), (2, 0), (0, 0), times=[5, 1, 2, 9]),
        validation=part((0, 1), times=[7]),
        test=part((0, 2), times=[8]),
    ),
    None,
    "abc",
)
NAMES = pd.DataFrame(
    {"title": ["Ten", "Forty"], "genres": ["A|B", "C"]}, index=pd.Index(["10", "40"], name="item")
)


def make(model: Recommender | None = None, items: pd.DataFrame | None = None) -> LoadedRun:
    return LoadedRun("neumf on toy", Path("run"), model or Written(3, 4), PREPARED, items)


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_the_best_unseen_items_come_first() -> None:
    found = make().recommend(["bob", "ann"], k=2)
    assert rows(found, "user", "rank", "item", "held_out") == [
        ("bob", 1, 40, False),
        ("bob", 2, 30, False),
        ("ann", 1, 30, True),  # all that is left of the four
    ]
    assert found["score"].tolist() == pytest.approx([0.7, 0.6, 0.3])


def test_what_was_seen_is_kept_when_asked_for() -> None:
    found = make().recommend("bob", k=2, seen=True)
    assert rows(found, "rank", "item") == [(1, 10), (2, 40)]


def test_an_unknown_user_gets_what_is_popular_and_a_word_about_it() -> None:
    with pytest.warns(UserWarning, match="not in the data: user zoe; these are the most popular"):
        found = make().recommend(["ann", "zoe"], k=1)
    assert rows(found, "user", "item") == [("ann", 30), ("zoe", 10)]


def test_everybody_in_chunks_is_everybody_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make().recommend(k=3)
    monkeypatch.setattr(loaded_run, "SCORES_PER_CHUNK", 8)
    parts = list(make().stream(k=3))
    assert [len(part["user"].unique()) for part in parts] == [2, 1]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_titles_and_genres_stand_beside_items() -> None:
    found = make(items=NAMES).recommend(["bob"], k=2)
    assert rows(found, "item", "title", "genres") == [(40, "Forty", "C"), (30, "", "")]


def test_scores_are_the_model_s() -> None:
    found = make().scores(["cid", "ann"], [40, 20])
    assert found.index.tolist() == ["cid", "ann"]
    assert found.columns.tolist() == [40, 20]
    np.testing.assert_allclose(found, [[0.1, 0.8], [0.4, 0.2]])


def test_neighbours_are_near_in_the_model_s_space() -> None:
    found = make(items=NAMES).similar_items(20, k=2)
    assert rows(found, "rank", "item", "title") == [(1, 10, "Ten"), (2, 30, "")]
    assert found["similarity"].tolist() == pytest.approx([1.0, 0.5**0.5])


def test_without_vectors_neighbours_share_users() -> None:
    found = make(WithoutVectors(3, 4)).similar_items("40", k=1)
    # one of ann, bob and cid, who had 10, had 40 too
    assert rows(found, "item") == [(10,)]
    assert found["similarity"].tolist() == pytest.approx([1 / 3**0.5])


def test_a_history_is_shown_latest_first() -> None:
    found = make(items=NAMES).history("ann")
    assert rows(found, "item", "title", "time", "part") == [
        (10, "Ten", 9, "train"),
        (30, "", 8, "test"),
        (20, "", 7, "val"),
        (40, "Forty", 5, "train"),
    ]


def test_somebody_new_is_known_by_items() -> None:
    model = EASE(3, 4, regularization=1.0)
    model.fit(PREPARED.split.train)
    found = make(model).recommend_for([10], k=3)
    assert found["item"].tolist()[0] == 40
    assert 10 not in found["item"].tolist()
    assert 10 in make(model).recommend_for([10], k=4, seen=True)["item"].tolist()


def test_somebody_new_s_items_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[int]] = []

    def fold_in(_: object, items: torch.Tensor) -> torch.Tensor:
        given.append(items.tolist())
        return torch.zeros(4)

    monkeypatch.setattr(Written, "fold_in", fold_in)
    make().recommend_for([40, 10, 30, 10], k=1)
    # a model may know the order; an item that comes again counts once
    assert given == [[3, 0, 2]]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: run.scores(["zoe"], [10]), "not in the data: user zoe"),
        (lambda run: run.scores(["ann"], [11, 12]), "not in the data: item 11, 12"),
        (lambda run: run.history("zoe"), "not in the data: user zoe"),
        (lambda run: run.similar_items(11), "not in the data: item 11"),
        (lambda run: run.recommend(["ann"], k=0), "k=0: at least 1"),
        (lambda run: run.recommend_for([]), "no items were given"),
        (lambda run: run.recommend_for([10]), "Written scores users whom it was trained with"),
    ],
)
def test_what_can_t_be_answered_is_said(ask, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=said):
        ask(make())

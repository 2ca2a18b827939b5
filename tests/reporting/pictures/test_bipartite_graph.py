"""The picture of the bipartite graph: what it shows of small data, and of data that is sampled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.interactions import Interactions
from src.reporting.pictures.bipartite_graph import draw_graph
from src.reporting.pictures.node_sample import choose_nodes
from tests.data.fakes import interactions
from tests.reporting.pictures.files import png_size, svg_texts

SMALL = interactions([[0, 1], [1], [2, 1]], 3)


def random_data(n_users: int, n_items: int, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, n_items + 1, n_users)
    seen = [rng.choice(n_items, count, replace=False).tolist() for count in counts]
    return interactions(seen, n_items)


def test_small_data_is_shown_whole(tmp_path: Path) -> None:
    draw_graph(tmp_path / "graph.svg", "films", SMALL)
    texts = svg_texts(tmp_path / "graph.svg")
    assert "films: 3 users and 3 items with 5 interactions" in " ".join(texts)
    # raw ids, and beside each how many interactions it has
    assert [text for text in texts if text.startswith("100")] == ["1000", "1001", "1002"]
    assert [text for text in texts if text in ("i0", "i1", "i2")] == ["i0", "i1", "i2"]
    assert [text for text in texts if text in ("(1)", "(2)", "(3)")] == [
        *("(2)", "(1)", "(2)"),  # of users
        *("(1)", "(3)", "(1)"),  # of items
    ]
    assert "rating" not in texts


def test_png(tmp_path: Path) -> None:
    draw_graph(tmp_path / "graph.png", "films", random_data(30, 40))
    width, height = png_size(tmp_path / "graph.png")
    assert width == 900
    assert 600 <= height <= 1000


def test_large_data_is_sampled_and_says_so(tmp_path: Path) -> None:
    data = random_data(30, 40)
    draw_graph(tmp_path / "graph.svg", "films", data, users=4, items=6)
    texts = svg_texts(tmp_path / "graph.svg")
    (title,) = [text for text in texts if text.startswith("films")]
    assert title.startswith("films: 4 of 30 users, 6 of 40 items, ")
    assert "a sample from the most to the least active" in " ".join(texts)
    users = [int(text) for text in texts if text.isdigit()]
    counts = np.bincount(data.users)[np.array(users) - 1000]
    assert len(users) == 4
    assert (np.diff(counts) <= 0).all()
    assert (counts[0], counts[-1]) == (np.bincount(data.users).max(), np.bincount(data.users).min())


@given(
    st.integers(1, 25),
    st.integers(1, 25),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 9),
)
def test_a_sample_is_as_large_as_asked_and_connected(
    n_users: int, n_items: int, users: int, items: int, seed: int
) -> None:
    data = random_data(n_users, n_items, seed)
    left, right = choose_nodes(data, users, items)
    assert len(left) == len(set(left)) == min(users, n_users)
    assert len(set(right)) == len(right) <= min(items, n_items)
    if n_users > users or n_items > items:
        # every item shown has a user who is shown
        theirs = data.items[np.isin(data.users, left)]
        assert np.isin(right, theirs).all()
        assert len(right) == min(items, len(set(theirs)))


def test_edges_show_ratings_that_differ(tmp_path: Path) -> None:
    file = tmp_path / "graph.svg"
    for ratings, shown in (([1, 2, 3, 4, 5], True), ([4, 4, 4, 4, 4], False)):
        draw_graph(file, "films", replace(SMALL, ratings=np.array(ratings, np.float32)))
        assert ("rating" in svg_texts(file)) == shown


def test_an_item_without_interactions(tmp_path: Path) -> None:
    draw_graph(tmp_path / "graph.svg", "films", interactions([[0]], 2))
    assert "(0)" in svg_texts(tmp_path / "graph.svg")


def test_names_are_taken_literally_and_shortened(tmp_path: Path) -> None:
    names = np.array(["$x$ & <b>", "a name of more than twenty-two letters", "c"])
    draw_graph(tmp_path / "graph.svg", "films", replace(SMALL, item_ids=names))
    texts = svg_texts(tmp_path / "graph.svg")
    assert "a name of more than t…" in texts
    assert "$x$ & <b>" in texts


@pytest.mark.filterwarnings("error")
def test_one_interaction(tmp_path: Path) -> None:
    draw_graph(tmp_path / "graph.png", "films", interactions([[0]], 1))
    assert png_size(tmp_path / "graph.png")[0] == 900

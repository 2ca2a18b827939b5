"""The picture of a graph's matrices: what it shows, what it prints, and when data is sampled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.reporting.pictures.matrices import draw_matrices, list_matrices, write_entry
from src.reporting.pictures.node_sample import renumber
from tests.data.fakes import interactions
from tests.reporting.pictures.files import png_size, svg_texts
from tests.reporting.pictures.test_bipartite_graph import random_data

# user 1000 did i0 and i1, user 1001 did i1: degrees 2, 1; 1, 2
SMALL = interactions([[0, 1], [1]], 2)


def test_small_data_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_matrices(tmp_path / "matrices.svg", "films", SMALL)
    assert (
        capsys.readouterr().out
        == """\
films: 2 users and 2 items with 3 interactions

adjacency
     1000 1001 i0 i1
1000    0    0  1  1
1001    0    0  0  1
i0      1    0  0  0
i1      1    1  0  0

Laplacian
     1000 1001  i0  i1
1000    2    0  −1  −1
1001    0    1   0  −1
i0     −1    0   1   0
i1     −1   −1   0   2

user projection
     1000 1001
1000    0    1
1001    1    0

normalized adjacency
     1000 1001   i0   i1
1000    0    0  .71  .50
1001    0    0    0  .71
i0    .71    0    0    0
i1    .50  .71    0    0

normalized Laplacian
      1000  1001    i0    i1
1000     1     0  −.71  −.50
1001     0     1     0  −.71
i0    −.71     0     1     0
i1    −.50  −.71     0     1

item projection
   i0 i1
i0  0  1
i1  1  0

"""
    )
    texts = svg_texts(tmp_path / "matrices.svg")
    assert "films: 2 users and 2 items with 3 interactions" in texts
    names = ["adjacency", "Laplacian", "user projection", "normalized adjacency"]
    assert {*names, "normalized Laplacian", "item projection"} <= set(texts)
    # each number of every matrix stands in its cell
    assert texts.count("2") == 2
    assert texts.count("−.71") == 4
    assert texts.count(".50") == 2
    # four matrices of all nodes and one of users, with names of rows and of columns
    assert texts.count("1001") == 10


def test_larger_matrices_are_colours_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_matrices(tmp_path / "matrices.svg", "films", random_data(13, 12), users=20, items=12)
    # of the projections that of the 12 items is small
    printed = capsys.readouterr().out
    assert printed.startswith("films: 13 users and 12 items with ")
    assert [line for line in printed.splitlines() if line.endswith("projection")] == [
        "item projection"
    ]
    assert "adjacency" not in printed
    assert "normalized Laplacian" in svg_texts(tmp_path / "matrices.svg")


def test_large_data_is_sampled_and_says_so(tmp_path: Path) -> None:
    draw_matrices(tmp_path / "matrices.svg", "films", random_data(30, 40), users=4, items=6)
    texts = " ".join(svg_texts(tmp_path / "matrices.svg"))
    assert "films: 4 of 30 users, 6 of 40 items, " in texts
    assert "a sample from the most to the least active; matrices of the sample only" in texts


def test_the_sample_keeps_its_interactions_in_its_own_order() -> None:
    data = interactions([[0, 1, 2], [1, 2], [0, 3]], 4)
    part = renumber(data, np.array([2, 0]), np.array([3, 1, 0]))
    assert list(zip(part.users.tolist(), part.items.tolist(), strict=True)) == [
        (1, 2),
        (1, 1),
        (0, 2),
        (0, 0),
    ]
    assert (part.user_ids.tolist(), part.item_ids.tolist()) == ([1002, 1000], ["i3", "i1", "i0"])
    adjacency = list_matrices(part)[0]
    assert adjacency.names == ["1002", "1000", "i3", "i1", "i0"]
    assert adjacency.values[:2, 2:].tolist() == [[1, 0, 1], [0, 1, 1]]


def test_entries() -> None:
    assert [write_entry(value) for value in (0.0, -1.0, 3.0, 0.5, -0.408)] == [
        "0",
        "−1",
        "3",
        ".50",
        "−.41",
    ]


@pytest.mark.filterwarnings("error")
def test_extremes(tmp_path: Path) -> None:
    file = tmp_path / "matrices.png"
    names = np.array(["$x$ & <b>", "a name of more than ten letters"])
    for data in (
        interactions([[0]], 1),
        interactions([[0]], 2),  # an item without interactions
        replace(SMALL, item_ids=names),
        random_data(20, 20),
    ):
        draw_matrices(file, "films", data, users=20, items=20)
        assert png_size(file)[0] == 1656

"""The picture of a data set: which panels there are, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.data.interactions import Interactions
from src.reporting.pictures.data_set import draw_data
from tests.data.fakes import interactions
from tests.reporting.pictures.files import png_size, svg_texts

# ten items, of which two have 8 of the 16 interactions
DATA = interactions([[0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 6, 7], [0, 1, 8, 9]], 10)
RATINGS = np.arange(16, dtype=np.float32) % 5 + 1
DAYS = 1_700_000_000 + 86400 * np.arange(16)


def texts(data: Interactions, folder: Path) -> list[str]:
    draw_data(folder / "data.svg", "films", data)
    return svg_texts(folder / "data.svg")


def test_facts(tmp_path: Path) -> None:
    shown = texts(DATA, tmp_path)
    facts = "4 users, 10 items, 16 interactions: 4.0 per user, 1.6 per item, 40 % of all pairs"
    assert f"films\n{facts}" in "\n".join(shown)
    assert "20 % of the items, 50 % of the interactions" in shown
    assert "median 4" in shown


@pytest.mark.parametrize(
    ("ratings", "times"),
    [
        (None, None),
        (RATINGS, None),
        (np.ones(16, np.float32), DAYS),
        (RATINGS, np.arange(16)),
        (None, np.zeros(16, np.int64)),
    ],
)
def test_panels_for_what_is_there(
    ratings: np.ndarray | None, times: np.ndarray | None, tmp_path: Path
) -> None:
    data = replace(DATA, ratings=ratings, timestamps=times)
    shown = texts(data, tmp_path)
    assert "item, by rank of popularity" in shown
    assert "interactions of a user" in shown
    assert ("rating (mean 2.88)" in shown) == (ratings is RATINGS)
    assert ("2023-11-14 to 2023-11-29" in shown) == (times is DAYS)
    assert ("timestamp" in shown) == (times is not None and times[-1] == 15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("ratings", "times", "size"),
    [(None, None, (1080, 456)), (RATINGS, None, (1620, 456)), (RATINGS, DAYS, (1080, 852))],
)
def test_png(
    ratings: np.ndarray | None, times: np.ndarray | None, size: tuple[int, int], tmp_path: Path
) -> None:
    draw_data(tmp_path / "data.png", "films", replace(DATA, ratings=ratings, timestamps=times))
    assert png_size(tmp_path / "data.png") == size


@pytest.mark.filterwarnings("error")
def test_extremes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = interactions([[0], list(range(1000))], 1001)  # two scales of three decades
    one = interactions([[0]], 1)
    many_ratings = replace(DATA, ratings=rng.random(16).astype(np.float32))
    for data in (wide, one, many_ratings):
        draw_data(tmp_path / "data.png", "films", data)
        assert png_size(tmp_path / "data.png")[0] >= 1080


def test_items_that_never_occur_count_as_items(tmp_path: Path) -> None:
    # as in the training part of a split: one of two items has everything
    shown = texts(interactions([[0], [0]], 2), tmp_path)
    assert any("2 users, 2 items, 2 interactions" in text for text in shown)
    assert "20 % of the items, 100 % of the interactions" in shown

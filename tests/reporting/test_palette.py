"""Colours that can be told apart."""

from __future__ import annotations

import re
from itertools import combinations
from math import dist

from src.reporting.palette import HUES, distinct_color


def test_no_two_runs_of_a_sweep_have_one_colour() -> None:
    colors = [distinct_color(place) for place in range(300)]
    assert len(set(colors)) == 300
    assert tuple(colors[: len(HUES)]) == HUES
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in colors)


def test_those_of_a_dozen_runs_are_far_apart() -> None:
    parts = [[int(distinct_color(n)[at : at + 2], 16) for at in (1, 3, 5)] for n in range(12)]
    assert min(dist(one, other) for one, other in combinations(parts, 2)) > 60

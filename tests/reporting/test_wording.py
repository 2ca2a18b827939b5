"""Numbers, times and lists as people read them."""

from __future__ import annotations

import pytest

from src.reporting import wording


def test_numbers() -> None:
    assert [wording.decimal(value) for value in (0.40721, 1.03119, 0.99999, -0.0041)] == [
        ".4072",
        "1.0312",
        "1.0000",
        "−.0041",
    ]
    assert wording.decimal(0.0041, sign=True) == "+.0041"
    assert wording.with_sd(0.4, None) == ".4000"
    assert wording.with_sd(0.4, 0.01) == ".4000 ± .0100"
    assert [wording.seconds(value) for value in (1.4681, 12.34, 99.99, 1234.5)] == [
        "1.47",
        "12.3",
        "100",
        "1,234",
    ]
    assert [wording.p_value(value) for value in (0.0004, 0.021, 1.0)] == ["< .001", ".021", "1.000"]
    assert [wording.whole(value) for value in (6, 5.5, 58761)] == ["6", "5.5", "58,761"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (range(12), "0, 1, 2, 3, 4, 5, 6, 7 and 4 more"),
    ],
)
def test_lists(words: list[str], text: str) -> None:
    assert wording.listed(words) == text


def test_seeds() -> None:
    assert wording.seed_ranges([0, 1, 2]) == "0, 1 and 2"
    assert wording.seed_ranges([0, 1, 2, 3]) == "0 to 3"
    assert wording.seed_ranges([0, 1, 2, 4]) == "0, 1, 2 and 4"


def test_durations() -> None:
    assert [wording.duration(value) for value in (3.4, 89, 90, 5399, 5760)] == [
        "3 s",
        "89 s",
        "2 min",
        "90 min",
        "1.6 h",
    ]

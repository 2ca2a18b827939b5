"""Results by what is known of users."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.errors import UserError
from src.reporting.comparison import picture_data
from src.reporting.comparison.configurations import group_runs
from src.reporting.comparison.user_groups import order_groups, read_user_groups
from tests.reporting.comparison.runs import Shelf, judged, record

LINES = ["user,plan,age,town", *(f"u{i},{'fp'[i % 2]},{10 * (i % 3)},t{i}" for i in range(30))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.csv").write_text("\n".join(LINES))
    return tmp_path / "mine.csv"


def test_columns_with_few_values_are_taken(file: Path) -> None:
    table = read_user_groups({"users": str(file), "by": None})
    assert table is not None
    assert list(table) == ["plan", "age"]
    chosen = read_user_groups({"users": str(file), "by": ["age"]})
    assert chosen is not None
    assert list(chosen) == ["age"]
    assert read_user_groups({"users": None, "by": None}) is None


@pytest.mark.parametrize(
    ("given", "by", "line"),
    [
        (True, ["plann"], "by=plann: {file} has the columns plan, age, town; did you mean plan?"),
        (True, ["town"], "by=town: 30 different values, and 24 can be shown"),
        (False, ["age"], "by=age: add users=FILE, a table with that column"),
    ],
)
def test_mistakes(given: bool, by: list[str], line: str, file: Path) -> None:
    with pytest.raises(UserError) as error:
        read_user_groups({"users": str(file) if given else None, "by": by})
    assert str(error.value) == line.format(file=file)


def test_means_by_group() -> None:
    run = record(judged(0.3, 0.2))
    users = pd.DataFrame(
        {"user": [1, 2, 3, 4], "hr@10": [1.0, 0.0, 1.0, 1.0], "ndcg@10": [0.5, 0.0, 0.25, 1.0]}
    )
    groups = pd.Series({"1": "a", "2": "a", "3": "b"})
    shelf = Shelf({run.run_id: {"per_user.parquet": users}})
    table = picture_data.tabulate_user_groups(shelf, group_runs([run]), groups)
    # user 4 is in no group
    assert table.to_numpy().tolist() == [
        ["gmf", "0", "a", 2, 0.5, 0.25],
        ["gmf", "0", "b", 1, 1.0, 0.25],
    ]
    assert len(picture_data.tabulate_user_groups(Shelf({}), group_runs([run]), groups)) == 0


def test_the_order_of_groups() -> None:
    assert order_groups(pd.Series(["25", "1", "", "18"])) == ["1", "18", "25", ""]
    assert order_groups(pd.Series(["paid", "free", "10"])) == ["10", "free", "paid"]

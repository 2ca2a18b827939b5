"""`python -m src.recommend` on a run that was trained, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


@pytest.fixture
def ask(call: Call, trained: TrainedHome):  # type: ignore[no-untyped-def]
    def ask(*words: str, run: str | None = None):  # type: ignore[no-untyped-def]
        chosen = run or str(trained.run.folder)
        return call(f"run={chosen}", *words, command="recommend", home=trained.home)

    return ask


def test_a_user_s_history_stands_beside_the_list(ask) -> None:  # type: ignore[no-untyped-def]
    said = ask("user=7", "k=3")
    assert said.status == 0, said.err
    assert "user 7 had, 10 of " in said.out
    assert "user 7 is recommended" in said.out


@pytest.mark.parametrize("how", ["folder", "name", "checkpoint", "id", "short id"])
def test_a_run_by_any_name(ask, trained: TrainedHome, how: str) -> None:  # type: ignore[no-untyped-def]
    folder, run_id = trained.run.folder, trained.run.run_id
    reference = {
        "folder": str(folder),
        "name": folder.name,
        "checkpoint": str(folder / "checkpoints" / "best.ckpt"),
        "id": run_id,
        "short id": run_id[:8],
    }[how]
    said = ask("user=7", "k=3", "format=json", run=reference)
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert {row["user"] for row in found} == {7}
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)


def test_nothing_seen_is_recommended_to_anybody(ask, trained: TrainedHome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    said = ask("user=all", "k=5", f"out={tmp_path}/lists.parquet")
    assert said.status == 0, said.err
    lists = pd.read_parquet(tmp_path / "lists.parquet")
    assert lists["user"].nunique() == 200
    assert not lists.duplicated(["user", "item"]).any()
    assert (lists.groupby("user")["score"].is_monotonic_decreasing).all()
    said = ask("user=all", "k=5", "format=csv")
    assert said.status == 0, said.err
    file = trained.run.folder / "recommendations.csv"
    assert f"lists    {file}" in said.out
    pd.testing.assert_frame_equal(pd.read_csv(file), lists, check_dtype=False)


def test_an_unknown_user_and_a_known_one(ask) -> None:  # type: ignore[no-untyped-def]
    said = ask("user=7,nobody", "k=2", "format=csv")
    assert said.status == 0
    assert "not in the data: user nobody; these are the most popular items" in said.err
    assert [line.split(",")[0] for line in said.out.splitlines()] == [
        "user",
        "7",
        "7",
        *["nobody"] * 2,
    ]


def test_neighbours_of_an_item(ask) -> None:  # type: ignore[no-untyped-def]
    said = ask("item=3", "k=2", "format=csv")
    assert said.status == 0, said.err
    assert said.out.splitlines()[0] == "rank,item,similarity"
    assert len(said.out.splitlines()) == 3


def test_items_are_called_by_a_table_of_one_s_own(ask, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = "".join(f"{n},Item number {n}\n" for n in range(100))
    (tmp_path / "items.csv").write_text(f"item,title\n{rows}")
    said = ask("item=3", "k=1", f"items={tmp_path}/items.csv")
    assert said.status == 0, said.err
    assert said.out.count("Item number") == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "one of these is needed: user=ID, user=all, history=ITEM,... or item=ID"),
        (("user=1", "item=2"), "one of these is needed"),
        (("user=1", "k=0"), "k=0: Input should be greater than or equal to 1"),
        (("item=1,2",), "item=1,2: one item"),
        (("item=nothing",), "not in the data: item nothing"),
        (("history=1,2",), "NeuMF scores users whom it was trained with, and nobody else"),
        (("user=1", "format=xml"), "format=xml"),
        (("user=1", "format=parquet"), "format=parquet: name the file, out=FILE.parquet"),
        (("user=all", "format=json"), "user=all makes a long table: .parquet or .csv, not json"),
        (("user=all", "out=lists.txt"), "user=all makes a long table: .parquet or .csv, not table"),
        (("user=1", "out=lists.xml"), "out=lists.xml: the file has to end in"),
        (("user=1", "items=nowhere.csv"), "nowhere.csv can't be read"),
    ],
)
def test_mistakes_end_in_one_line(ask, words: tuple[str, ...], line: str) -> None:  # type: ignore[no-untyped-def]
    said = ask(*words)
    assert said.status == 2
    assert said.err.startswith(f"error: {line}"), said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_run_that_is_not_there(ask) -> None:  # type: ignore[no-untyped-def]
    said = ask("user=1", run="12345678")
    assert said.status == 2
    assert said.err.startswith("error: no run 12345678: neither a folder, nor a name in ")

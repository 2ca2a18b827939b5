"""Data of one's own, from the command line to the record of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import yaml

from src.config.compose import compose
from tests.commands import ONE_THREAD

if TYPE_CHECKING:
    from tests.conftest import Call

QUICK = ("model=itempop", "data.candidates=10", "ks=[1]", "tracking=none", *ONE_THREAD)
# 12 users with 8 of 30 items each, in order of time
ROWS = pd.DataFrame(
    [(f"u{u}", (5 * u + n) % 30, 100 * u + n) for u in range(12) for n in range(8)],
    columns=["user_id", "movieId", "ts"],
)


@pytest.mark.parametrize(("times", "how"), [(True, "by time"), (False, "at random, no times")])
def test_a_parquet_file_as_it_is(call: Call, tmp_path: Path, times: bool, how: str) -> None:
    file = tmp_path / "plays.parquet"
    (ROWS if times else ROWS.drop(columns="ts")).to_parquet(file)
    run = call("data=file", f"data.path={file}", *QUICK)
    assert run.status == 0, run.err
    taken = "user from user_id, item from movieId" + ", timestamp from ts" * times
    assert f"plays.parquet: {taken}\n" in run.out
    assert f"; split {how}\n" in run.out
    assert "itempop on plays" in run.out
    provenance = json.loads((run.folder / "provenance.json").read_text())
    assert provenance["split"] == f"split {how}"
    assert provenance["data"] == "plays"


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, str]:
    """A split by time, with twelve candidates a user."""
    place = ROWS.groupby("user_id")["ts"].rank(ascending=False)
    others = pd.DataFrame(
        [(f"u{u}", (5 * u + 10 + n) % 30) for u in range(12) for n in range(12)],
        columns=["user_id", "movieId"],
    )
    tables = {
        "train": ROWS[place > 2],
        "validation": ROWS[place == 2],
        "test": ROWS[place == 1],
        "candidates": others,
    }
    folder = tmp_path / "plays"
    folder.mkdir()
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: f"{folder}/{name}.csv" for name in tables}


def test_parts_of_one_s_own(call: Call, parts: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    ROWS.to_csv(table, index=False)
    words = [f"data.{name}={parts[name]}" for name in ("train", "validation", "test")]
    own = call("data=parts", *words, *QUICK, "data.candidates=all")
    assert own.status == 0, own.err
    assert "itempop on plays" in own.out
    assert "; split as given\n" in own.out
    same = call("data=file", f"data.path={table}", *QUICK, "data.candidates=all")
    assert own.folder != same.folder
    for name in ("val/ndcg@10", "test/ndcg@10", "test/coverage@10"):
        one, other = (json.loads((r.folder / "metrics.json").read_text()) for r in (own, same))
        assert one[name] == other[name]


def test_validation_that_the_protocol_has_no_use_for(call: Call, parts: dict[str, str]) -> None:
    words = [f"data.{name}={parts[name]}" for name in ("train", "validation", "test")]
    said = call("data=parts", *words, "protocol=ncf2017", *QUICK)
    assert said.status == 2
    assert said.err == (
        "error: data.validation: protocol=ncf2017 has no validation part; leave it out, or take "
        "another protocol\n"
    )


def test_candidates_of_one_s_own(call: Call, parts: dict[str, str]) -> None:
    words = [f"data.{name}={parts[name]}" for name in ("train", "test")]
    words.append(f"data.candidates_file={parts['candidates']}")
    quick = [word for word in QUICK if word != "data.candidates=10"]
    run = call("data=parts", *words, *quick)
    assert run.status == 0, run.err
    assert "; split as given, validation by time\n" in run.out
    assert "ranked among the released candidates" in run.out
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["data"]["candidates"] == (
        "released"
    )
    # every item is had by two users in training: all are tied, which counts against the target
    ranks = pd.read_parquet(run.folder / "ranks.parquet")
    assert ranks["rank"].tolist() == [13] * 12


def test_candidates_are_drawn_where_none_are_given() -> None:
    words = ["data=parts", "data.train=t.csv", "data.test=s.csv"]
    assert compose(words).data.candidates == 99
    assert compose([*words, "data.candidates_file=c.csv"]).data.candidates == "released"
    assert compose(
        [*words, "data.candidates_file=c.csv", "data.candidates=all"]
    ).data.candidates == ("all")


def test_options_of_another_choice_are_pointed_out(call: Call) -> None:
    said = call("data.train=x.csv", *QUICK)
    assert said.err == "error: no option data.train here: add data=parts\n"


def test_a_split_in_the_form_of_lightgcn(call: Call, tmp_path: Path) -> None:
    lines = {
        "train": [(5 * u + n) % 30 for u in range(12) for n in range(6)],
        "test": [(5 * u + 6 + n) % 30 for u in range(12) for n in range(2)],
    }
    for name, items in lines.items():
        rows = [[u, *items[u * len(items) // 12 : (u + 1) * len(items) // 12]] for u in range(12)]
        text = "\n".join(" ".join(map(str, row)) for row in rows)
        (tmp_path / f"{name}.txt").write_text(text)
    quick = [word for word in QUICK if word != "data.candidates=10"]
    run = call("data=gowalla", f"data.path={tmp_path}", *quick)
    assert run.status == 0, run.err
    assert "12 users, 30 items: 60 training, 12 validation and 24 test interactions" in run.out
    assert "; split as given, validation at random, no times\n" in run.out
    assert "ranked among the whole catalogue" in run.out

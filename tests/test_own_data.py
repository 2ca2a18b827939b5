"""Data of one's own, from the command line to the record of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

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

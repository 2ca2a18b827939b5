"""What testing leaves in a run's folder is there whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.data.interactions import Interactions
from src.evaluation.results_files import write_results

ONE = Interactions(
    users=np.array([0], np.int32),
    items=np.array([0], np.int32),
    user_ids=np.array(["u"]),
    item_ids=np.array(["i"]),
)


@pytest.mark.parametrize("name", ["write_per_user", "write_ranks"])
def test_a_file_that_is_cut_off_is_not_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_whole(file: Path, *_: Any) -> None:
        file.write_bytes(b"PAR1PAR1")

    def write_half(file: Path, *_: Any) -> None:
        file.write_bytes(b"PAR1")
        raise OSError("No space left on device")

    monkeypatch.setattr("src.evaluation.results_files.write_per_user", write_whole)
    monkeypatch.setattr("src.evaluation.results_files.write_ranks", write_whole)
    monkeypatch.setattr(f"src.evaluation.results_files.{name}", write_half)
    with pytest.raises(OSError, match="No space left"):
        write_results(tmp_path, ONE, [], [10])
    left = {"write_per_user": [], "write_ranks": ["per_user.parquet"]}[name]
    assert [file.name for file in tmp_path.iterdir()] == left

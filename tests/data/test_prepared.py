from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.data.interactions import IntArray, Interactions
from src.data.prepared import Part, Prepared, load, save
from src.data.splitting import Split
from tests.data.fakes import interactions

DATA = replace(
    interactions([[0, 1, 2], [2, 3]], 4, times=[[1, 2, 3], [4, 5]]),
    ratings=np.array([5, 4, 3, 2, 1], np.float32),
)
TRAIN, VALIDATION, TEST = (DATA.take(np.array(rows, int)) for rows in ([0, 3], [1], [2, 4]))
CANDIDATES: dict[Part, IntArray] = {
    "val": np.array([[3, 2]], np.int32),
    "test": np.array([[3, 1], [0, 1]], np.int32),
}
COLUMNS = ("users", "items", "ratings", "timestamps", "user_ids", "item_ids")


def assert_same(loaded: Interactions, saved: Interactions) -> None:
    for column in COLUMNS:
        one, other = getattr(loaded, column), getattr(saved, column)
        assert (one is None) == (other is None)
        if other is not None:
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save(Prepared(Split(TRAIN, VALIDATION, TEST), CANDIDATES, "f00d"), tmp_path)
    loaded = load(tmp_path, "f00d")
    assert_same(loaded.split.train, TRAIN)
    assert_same(loaded.part("val"), VALIDATION)
    assert_same(loaded.part("test"), TEST)
    assert (loaded.n_users, loaded.n_items, loaded.fingerprint) == (2, 4, "f00d")
    assert loaded.candidates is not None
    assert set(loaded.candidates) == {"val", "test"}
    for part, expected in CANDIDATES.items():
        assert np.array_equal(loaded.candidates[part], expected)


@pytest.mark.parametrize("column", COLUMNS)
def test_arrays_are_memory_mapped_and_read_only(tmp_path: Path, column: str) -> None:
    save(Prepared(Split(TRAIN, VALIDATION, TEST), CANDIDATES, ""), tmp_path)
    array = getattr(load(tmp_path, "").split.train, column)
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = array[1]


def test_an_empty_validation_part_and_no_candidates(tmp_path: Path) -> None:
    bare = replace(DATA, ratings=None, timestamps=None)
    empty = bare.take(np.zeros(len(bare), bool))
    save(Prepared(Split(bare, empty, bare), None, ""), tmp_path)
    loaded = load(tmp_path, "")
    assert len(loaded.split.validation) == 0
    assert loaded.candidates is None
    assert_same(loaded.split.train, bare)

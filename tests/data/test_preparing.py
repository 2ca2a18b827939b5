from __future__ import annotations

import errno
import resource
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from src.data import preparing
from src.data.candidates import draw_candidates
from src.data.interactions import IntArray
from src.data.prepared import Part, Prepared
from src.data.preparing import prepare
from src.data.seal import SEAL
from src.data.sources.source import ReleasedSplit
from src.data.splitting import Split, leave_one_out
from src.errors import UserError
from tests.data.fakes import FakeSource, interactions, options

DATA = replace(
    interactions(
        [[0, 1, 2, 3], [2, 3, 4], [5, 0, 1], [6, 7]],
        n_items=8,
        times=[[1, 2, 3, 4], [5, 6, 7], [8, 9, 10], [1, 2]],
    ),
    ratings=np.full(12, 5, np.float32),
)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(DATA)


def folders(cache: Path) -> list[str]:
    """List what is in the cache, apart from lock files."""
    return sorted(file.name for file in cache.iterdir() if file.suffix != ".lock")


def same(one: Prepared, other: Prepared) -> bool:
    assert one.candidates is not None
    assert other.candidates is not None
    parts: tuple[Part, ...] = ("val", "test")
    return np.array_equal(one.split.train.items, other.split.train.items) and all(
        np.array_equal(one.candidates[part], other.candidates[part])
        and np.array_equal(one.part(part).items, other.part(part).items)
        for part in parts
    )


# the cache


def test_the_way_from_source_to_arrays(source: FakeSource, tmp_path: Path) -> None:
    prepared = prepare("toy", source, options(), tmp_path)
    split = prepared.split
    assert split.train.users.tolist() == [0, 0, 1, 2, 3, 3]
    assert split.train.items.tolist() == [0, 1, 2, 5, 6, 7]
    assert (split.validation.users.tolist(), split.validation.items.tolist()) == (
        [0, 1, 2],
        [2, 3, 0],
    )
    assert (split.test.users.tolist(), split.test.items.tolist()) == ([0, 1, 2], [3, 4, 1])
    assert prepared.candidates is not None
    assert prepared.candidates["test"].shape == (3, 2)
    assert all(isinstance(array, np.memmap) for array in prepared.candidates.values())
    assert isinstance(split.train.users, np.memmap)
    assert folders(tmp_path) == [f"toy-{prepared.fingerprint[:16]}"]


def test_the_second_call_does_not_read_the_source(source: FakeSource, tmp_path: Path) -> None:
    first = prepare("toy", source, options(), tmp_path)
    again = prepare("toy", FakeSource(DATA), options(), tmp_path)
    source.broken = True
    assert prepare("toy", source, options(), tmp_path).fingerprint == first.fingerprint
    assert source.reads == 1
    assert same(first, again)


CHANGES: list[dict[str, object]] = [
    {"split": "ratio"},
    {"validation": False},
    {"test_ratio": 0.3},
    {"validation_ratio": 0.3},
    {"candidates": 3},
    {"candidates": 4},
    {"threshold": 1.0},
    {"k_core": 2},
    {"split_seed": 1},
    {"latest": True},
]


def test_every_option_is_tried_below() -> None:
    assert {name for change in CHANGES for name in change} == set(asdict(options()))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_option_is_part_of_the_key(
    source: FakeSource, tmp_path: Path, change: dict[str, object]
) -> None:
    usual = options(candidates="all", test_ratio=0.4, validation_ratio=0.4)
    changed = replace(usual, **change)  # type: ignore[arg-type]
    fingerprints = {prepare("toy", source, o, tmp_path).fingerprint for o in (usual, changed)}
    assert len(fingerprints) == len(folders(tmp_path)) == source.reads == 2


def test_the_source_and_the_format_are_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("toy", FakeSource(DATA, "a"), options(), tmp_path)
    prepare("toy", FakeSource(DATA, "b"), options(), tmp_path)
    monkeypatch.setattr(preparing, "FORMAT", 1000)
    prepare("toy", FakeSource(DATA, "a"), options(), tmp_path)
    assert len(folders(tmp_path)) == 3


def test_a_failed_read_leaves_nothing(source: FakeSource, tmp_path: Path) -> None:
    source.broken = True
    with pytest.raises(UserError, match="line 3"):
        prepare("toy", source, options(), tmp_path)
    assert folders(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_nothing_and_can_be_repeated(
    source: FakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(prepared: Prepared, folder: Path) -> None:
        (folder / "train_users.npy").write_bytes(b"half")
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(preparing, "save", fail)
        with pytest.raises(type(error)):
            prepare("toy", source, options(), tmp_path)
    assert folders(tmp_path) == []
    assert len(prepare("toy", source, options(), tmp_path).split.test) == 3


def test_several_at_once_read_the_source_once(source: FakeSource, tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def start() -> Prepared:
        together.wait()
        return prepare("toy", source, options(), tmp_path)

    with ThreadPoolExecutor(4) as pool:
        prepared = [call.result() for call in [pool.submit(start) for _ in range(4)]]
    assert source.reads == 1
    assert len(folders(tmp_path)) == 1
    assert all(same(prepared[0], other) for other in prepared)


def test_the_log_says_who_is_in_training_only(
    source: FakeSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        prepare("toy", source, options(), tmp_path)
    assert "4 users, 8 items: 6 training, 3 validation and 3 test interactions" in caplog.text
    assert caplog.messages[-1].endswith("; 1 users are in training only; split by time")


@pytest.mark.parametrize(
    ("times", "change", "how"),
    [
        (True, {}, "split by time"),
        (False, {}, "split at random, no times"),
        (True, {"split": "ratio"}, "split at random"),
        (False, {"split": "ratio"}, "split at random, no times"),
        (True, {"split": "global-time", "validation": False}, "split by time"),
    ],
)
def test_how_it_is_split_is_said(
    times: bool, change: dict[str, object], how: str, tmp_path: Path
) -> None:
    source = FakeSource(DATA if times else replace(DATA, timestamps=None))
    usual = options(candidates="all", test_ratio=0.4, validation_ratio=0.4)
    wanted = replace(usual, **change)  # type: ignore[arg-type]
    assert prepare("toy", source, wanted, tmp_path).how == how
    assert prepare("toy", source, wanted, tmp_path).how == how, "from the cache"


@pytest.mark.parametrize(
    ("validation", "how"),
    [(True, "split as given, validation at random, no times"), (False, "split as given")],
)
def test_how_a_given_split_is_split_is_said(validation: bool, how: str, tmp_path: Path) -> None:
    source = FakeSource(RELEASED)
    source.given_parts = ("test",)
    prepared = prepare("toy", source, options(validation=validation), tmp_path)
    assert prepared.how == how


# damage


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def exchange(file: Path) -> None:
    """Put a data set that is whole, but another one, in its place."""
    times = [[1, 2, 3], [1, 2, 3]]
    other = FakeSource(interactions([[4, 5, 6], [0, 1, 2]], n_items=8, times=times), "b")
    prepared = prepare("other", other, options(), file.parents[2] / "elsewhere")
    folder = file.parents[2] / "elsewhere" / f"other-{prepared.fingerprint[:16]}"
    shutil.rmtree(file.parent)
    folder.rename(file.parent)


FILES = ["train_users.npy", "user_ids.npy", "item_ids.npy", "test_candidates.npy", SEAL]


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, empty, Path.unlink, exchange])
@pytest.mark.parametrize("file", FILES)
def test_damage_is_found_and_repaired(
    damage: Callable[[Path], None],
    file: str,
    source: FakeSource,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = prepare("toy", source, options(), tmp_path / "cache")
    folder = tmp_path / "cache" / f"toy-{whole.fingerprint[:16]}"
    whole = replace(whole, candidates={k: v.copy() for k, v in (whole.candidates or {}).items()})
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder / file)
    again = prepare("toy", source, options(), tmp_path / "cache")
    assert same(whole, again)
    assert source.reads == 2
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith(f"{folder} is damaged (")
    assert line.endswith("): preparing it again")
    assert file in line or file == SEAL or damage is exchange
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert folders(tmp_path / "cache") == [folder.name]


@pytest.mark.parametrize("stray", ["val_candidates.npy", "train_notes.txt", "folder/file.npy"])
def test_what_is_no_part_of_it_is_damage(stray: str, source: FakeSource, tmp_path: Path) -> None:
    usual = options(candidates="all")
    folder = tmp_path / f"toy-{prepare('toy', source, usual, tmp_path).fingerprint[:16]}"
    (folder / stray).parent.mkdir(exist_ok=True)
    (folder / stray).write_bytes((folder / "train_users.npy").read_bytes())
    assert prepare("toy", source, usual, tmp_path).candidates is None
    assert source.reads == 2
    assert not (folder / stray).exists()


def test_a_cache_of_an_earlier_version_is_made_again(source: FakeSource, tmp_path: Path) -> None:
    fingerprint = prepare("toy", source, options(), tmp_path).fingerprint
    folder = tmp_path / f"toy-{fingerprint[:16]}"
    (folder / SEAL).replace(folder / "fingerprint")
    assert prepare("toy", source, options(), tmp_path).fingerprint == fingerprint
    assert source.reads == 2


def test_what_lies_in_its_place_gives_way(source: FakeSource, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    folder = tmp_path / f"toy-{prepare('toy', source, options(), tmp_path).fingerprint[:16]}"
    shutil.rmtree(folder)
    folder.symlink_to(precious)
    prepare("toy", source, options(), tmp_path)
    shutil.rmtree(folder)
    folder.write_text("a file")
    prepare("toy", source, options(), tmp_path)
    assert source.reads == 3
    assert (precious / "file").read_text() == "kept"


def test_orphans_of_killed_preparations_are_removed(source: FakeSource, tmp_path: Path) -> None:
    for killed in (".other-0123456789abcdef.part", ".toy-0123456789abcdef.part"):
        (tmp_path / killed).mkdir()
        (tmp_path / killed / "train_users.npy").write_bytes(b"half")
    under_way = tmp_path / ".busy-0123456789abcdef.part"
    under_way.mkdir()
    with FileLock(tmp_path / ".busy-0123456789abcdef.lock"):
        fingerprint = prepare("toy", source, options(), tmp_path).fingerprint
    assert folders(tmp_path) == [under_way.name, f"toy-{fingerprint[:16]}"]


def test_its_own_orphan_is_no_hindrance(source: FakeSource, tmp_path: Path) -> None:
    folder = tmp_path / f"toy-{prepare('toy', source, options(), tmp_path).fingerprint[:16]}"
    folder.rename(folder.with_name(f".{folder.name}.part"))
    (folder.with_name(f".{folder.name}.part") / "stray").write_text("")
    prepare("toy", source, options(), tmp_path)
    assert folders(tmp_path) == [folder.name]
    assert not (folder / "stray").exists()


def test_a_disk_that_fills_leaves_nothing(tmp_path: Path) -> None:
    big = FakeSource(interactions([list(range(50))] * 200, 60), "big")
    usual = options(candidates="all")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            prepare("toy", big, usual, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG  # or ENOSPC, where the disk is full
    assert folders(tmp_path) == []
    assert len(prepare("toy", big, usual, tmp_path).split.test) == 200


# candidates


def known(split: Split) -> dict[int, set[int]]:
    """Return each user's items in all three parts."""
    items: dict[int, set[int]] = {}
    for part in (split.train, split.validation, split.test):
        for user, item in zip(part.users.tolist(), part.items.tolist(), strict=True):
            items.setdefault(user, set()).add(item)
    return items


def assert_right(split: Split, part: Part, candidates: IntArray, n: int) -> None:
    rows = split.validation if part == "val" else split.test
    assert candidates.shape == (len(rows), n)
    assert candidates.dtype == np.int32
    for user, drawn in zip(rows.users.tolist(), candidates.tolist(), strict=True):
        assert len(set(drawn)) == n
        assert set(drawn) <= set(range(rows.n_items)) - known(split)[user]


@given(
    st.lists(st.sets(st.integers(0, 9), min_size=3, max_size=7), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_candidates_are_distinct_and_unknown_to_the_user(
    seen: list[set[int]], n: int, seed: int
) -> None:
    split = leave_one_out(interactions([sorted(items) for items in seen], 10), True, seed)
    assert_right(split, "val", draw_candidates(split, ["val"], n, seed)["val"], n)
    assert_right(split, "test", draw_candidates(split, ["test"], n, seed)["test"], n)


def test_candidates_may_be_everything_that_is_left() -> None:
    split = leave_one_out(interactions([[5, 1, 0], [2, 4, 3]], 7), True, 0)
    drawn = draw_candidates(split, ["test"], 4, 0)["test"]
    assert [sorted(row) for row in drawn.tolist()] == [[2, 3, 4, 6], [0, 1, 5, 6]]


def test_several_rows_of_a_user_share_their_candidates() -> None:
    data = interactions([[0, 1, 2], [3, 4, 5]], 20)
    test = data.take(np.array([1, 4, 2, 5]))
    split = Split(data.take(np.array([0, 3])), data.take(np.zeros(6, bool)), test)
    drawn = draw_candidates(split, ["test"], 5, 0)["test"].tolist()
    assert_right(split, "test", np.array(drawn, np.int32), 5)
    assert drawn[0] == drawn[2] != drawn[1] == drawn[3]
    assert draw_candidates(split, ["val"], 5, 0)["val"].shape == (0, 5)


def test_candidates_are_fixed_by_the_split_seed_alone(source: FakeSource, tmp_path: Path) -> None:
    def drawn(cache: str, run_seed: int, **changes: object) -> Prepared:
        torch.manual_seed(run_seed)
        np.random.seed(run_seed)
        return prepare("toy", source, options(candidates=3, **changes), tmp_path / cache)

    first = drawn("one", run_seed=0)
    assert same(first, drawn("two", run_seed=1))
    assert not same(first, drawn("one", run_seed=0, split_seed=1))
    assert first.candidates is not None
    assert not np.array_equal(first.candidates["val"], first.candidates["test"])


def test_too_many_candidates_names_the_largest_number(source: FakeSource, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"candidates=5 .* only 4 items .*candidates=all"):
        prepare("toy", source, options(candidates=5), tmp_path)
    assert prepare("toy", source, options(candidates=4), tmp_path).candidates is not None


def test_all_has_no_candidates(source: FakeSource, tmp_path: Path) -> None:
    assert prepare("toy", source, options(candidates="all"), tmp_path).candidates is None


# released splits

RELEASED_TRAIN = interactions([[0, 1, 2], [3, 4]], 8)
RELEASED_TEST = interactions([[5], [6]], 8)
# user 0's lists its own target and a training item: released is released
RELEASED = ReleasedSplit(RELEASED_TRAIN, RELEASED_TEST, np.array([[5, 0, 7], [1, 2, 0]], np.int32))


def test_released_candidates_are_used_as_they_are(tmp_path: Path) -> None:
    prepared = prepare("toy", FakeSource(RELEASED), options(candidates="released"), tmp_path)
    assert prepared.candidates is not None
    assert prepared.candidates["test"].tolist() == [[5, 0, 7], [1, 2, 0]]
    assert prepared.split.test.items.tolist() == [5, 6]
    assert (len(prepared.split.train), len(prepared.split.validation)) == (3, 2)
    assert_right(prepared.split, "val", prepared.candidates["val"], 3)


def test_a_released_split_may_have_its_candidates_drawn_anew(tmp_path: Path) -> None:
    prepared = prepare("toy", FakeSource(RELEASED), options(candidates=4), tmp_path)
    assert prepared.candidates is not None
    assert_right(prepared.split, "test", prepared.candidates["test"], 4)


def test_a_released_split_without_validation_keeps_all_its_training(tmp_path: Path) -> None:
    wanted = options(candidates="released", validation=False)
    prepared = prepare("toy", FakeSource(RELEASED), wanted, tmp_path)
    assert prepared.split.train.items.tolist() == [0, 1, 2, 3, 4]
    assert len(prepared.split.validation) == 0
    assert prepared.candidates is not None
    assert prepared.candidates["val"].shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "ratio"}, "data.split=ratio: this data set comes with its split"),
        ({"threshold": 4.0}, "can't change a released split"),
        ({"k_core": 5}, "can't change a released split"),
    ],
)
def test_a_released_split_stays_as_it_is(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare("toy", FakeSource(RELEASED), options(**change), tmp_path)


# other mistakes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": "released"}, "only ncf-ml-1m and ncf-pinterest come with candidates"),
        ({"split": "ratio", "test_ratio": 0.5, "validation_ratio": 0.5}, "nothing for training"),
        ({"split": "ratio", "test_ratio": 0.1}, "the test part is empty"),
        ({"split": "global-time"}, "needs timestamps"),
        ({"k_core": 9}, "no interactions are left"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare("toy", FakeSource(replace(DATA, timestamps=None)), options(**change), tmp_path)
    assert folders(tmp_path) == []


@pytest.mark.parametrize("seen", [[[0], [1]], [[0, 1], [1, 2]]])
def test_users_with_too_few_interactions_for_a_test_part(
    tmp_path: Path, seen: list[list[int]]
) -> None:
    with pytest.raises(UserError, match="the test part is empty"):
        prepare("toy", FakeSource(interactions(seen, 3)), options(), tmp_path)


def test_two_interactions_are_enough_without_validation(tmp_path: Path) -> None:
    source = FakeSource(interactions([[0, 1], [1, 2]], 3))
    prepared = prepare("toy", source, options(validation=False, candidates=1), tmp_path)
    assert len(prepared.split.test) == len(prepared.split.train) == 2


def test_a_released_split_of_single_interactions_has_no_validation(tmp_path: Path) -> None:
    single = ReleasedSplit(
        interactions([[0], [1]], 5), interactions([[2], [3]], 5), np.array([[4], [4]], np.int32)
    )
    with pytest.raises(UserError, match="the validation part is empty"):
        prepare("toy", FakeSource(single), options(), tmp_path)

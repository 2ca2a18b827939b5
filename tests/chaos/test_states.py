"""The copies of a folder that tests of crash points start again from."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.states import AFTER, BEFORE, State, States, committed, distinct, is_unread


def contents(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def restored(states: States, state: State) -> dict[str, str]:
    states.restore(state)
    return contents(states.folder)


def test_what_each_change_leaves_killed_or_without_power(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "old").write_text("1")
    states = States(folder)
    states.watch(BEFORE)
    (folder / "in" / "new").write_text("2")
    states.watch(AFTER)
    states.watch(BEFORE)
    states.watch((folder / "in" / "new").stat().st_ino)  # flushed
    states.watch(BEFORE)
    (folder / "in" / "old").write_text("3")
    states.watch(AFTER)
    states.watch(BEFORE)
    (folder / "in" / "new").replace(folder / "in" / "old")
    states.watch(AFTER)
    states.watch(BEFORE)
    assert states.unseen == set()
    assert [restored(states, state) for state in states.killed] == [
        {"in/old": "1"},
        {"in/new": "2", "in/old": "1"},
        {"in/new": "2", "in/old": "1"},
        {"in/new": "2", "in/old": "3"},
        {"in/old": "2"},
    ]
    assert [restored(states, state) for state in states.cut_off] == [
        {"in/old": "1"},
        {"in/new": "", "in/old": "1"},
        {"in/new": "2", "in/old": "1"},
        {"in/new": "2", "in/old": "1"},
        {"in/old": "2"},
    ]
    assert list(distinct(states, states.killed, unread=True)) == [1, 2, 4, 5]


def test_a_change_that_was_not_told(tmp_path: Path) -> None:
    states = States(tmp_path)
    states.watch(BEFORE)
    states.watch(AFTER)
    (tmp_path / "file").write_text("1")
    states.watch(BEFORE)
    assert states.unseen == {"file"}


def test_two_names_of_a_file_are_so_again(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    states = States(tmp_path)
    states.watch(BEFORE)
    states.restore(states.killed[0])
    (tmp_path / "one").write_text("2")
    assert contents(tmp_path) == {"one": "2", "other": "2"}


def test_states_that_are_read_alike(tmp_path: Path) -> None:
    states = States(tmp_path)
    for content in ("1", "2"):
        (tmp_path / ".config.yaml.part").write_text(content)
        states.watch(BEFORE)
    assert list(distinct(states, states.killed, unread=True)) == [1, 2]
    assert list(distinct(states, states.killed, unread=False)) == [1]


def test_names_that_nobody_reads() -> None:
    names = ("runs/a/.x.json.part", "runs/a/.records/rec-1.sent-new", "mlflow.db-shm")
    assert all(map(is_unread, names))
    assert not any(map(is_unread, ("runs/a/x.part", "a.part/.x", "rec-1.sent", "mlflow.db-wal")))


def test_a_log_ends_with_its_last_whole_transaction() -> None:
    # a header that says pages of 2 bytes and a salt, then frames: page, size where one ends, salt
    salt, other = b"saltsalt", b"elsewise"
    header = bytes(8) + bytes([0, 0, 0, 2]) + bytes(4) + salt + bytes(8)

    def frame(size: int, of: bytes = salt) -> bytes:
        return bytes(4) + size.to_bytes(4, "big") + of + bytes(8) + b"pp"

    ended = header + frame(0) + frame(7)
    assert committed(ended) == ended
    assert committed(ended + frame(0)) == ended
    assert committed(ended + frame(8)[:-1]) == ended
    assert committed(ended + frame(8, other)) == ended
    assert committed(header + frame(0)) == header
    assert committed(b"") == b""

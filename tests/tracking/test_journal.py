"""A journal keeps what was appended, whatever happens to who appends."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from src.tracking.journal import Journal, find_journal, list_journals

HEADER = {
    "uri": "sqlite:///x.db", "experiment": "e", "run_name": "r", "artifacts": None,
    "started": 1, "tags": {"a": "1"}, "continuing": None,
}  # fmt: skip


def kinds(journal: Journal) -> list[str]:
    return [entry.kind for entry in journal.read()]


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, HEADER)
    journal.append("epoch", step=0, metrics={"train/loss": float("inf"), "val/hr@10": 0.1})
    journal.append("finish", status="FINISHED")
    journal.close()
    again = Journal(journal.file)
    assert again.header == HEADER
    assert again.ended
    assert [entry.content for entry in again.read()][1:] == [
        {"step": 0, "metrics": {"train/loss": float("inf"), "val/hr@10": 0.1}},
        {"status": "FINISHED"},
    ]
    second = list(again.read())[1]
    assert [entry.kind for entry in again.read(second.end)] == ["finish"]


def test_a_line_that_was_cut_off_is_dropped_by_who_goes_on(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, HEADER)
    journal.close()
    with journal.file.open("a") as file:
        file.write('{"kind": "epoch", "at": 1, "ste')
    again = Journal(journal.file)
    assert kinds(again) == ["header"]
    assert again.open()
    again.append("finish", status="KILLED")
    assert kinds(again) == ["header", "finish"]
    again.close()


@pytest.mark.parametrize("damage", [b"\x00\xff\n", b"[]\n", b"{}\n", b"7\n"])
def test_a_damaged_line_costs_that_line(damage: bytes, tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, HEADER)
    with journal.file.open("ab") as file:
        file.write(damage)
    journal.append("finish", status="FINISHED")
    assert kinds(journal) == ["header", "finish"]
    journal.close()


def test_one_process_at_a_time_writes(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, HEADER)
    assert not Journal(journal.file).open(wait=0)
    journal.close()
    assert Journal(journal.file).open(wait=0)


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.create(tmp_path, HEADER)
    write = os.write

    def full(descriptor: int, data: Any) -> int:
        if len(data) > 10:
            return write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: full(descriptor, bytes(data)[:11]))
        with pytest.raises(OSError, match="No space left"):
            journal.append("params", params={})
    journal.append("finish", status="FAILED")
    assert kinds(journal) == ["header", "finish"]
    journal.close()


def test_the_newest_that_goes_to_the_same_place_is_found(tmp_path: Path) -> None:
    made = []
    for experiment in ("e", "other", "e"):
        made.append(Journal.create(tmp_path, {**HEADER, "experiment": experiment}))
        made[-1].close()
    assert len(list_journals(tmp_path)) == 3
    found = find_journal(tmp_path, HEADER)
    assert found is not None
    assert found.file in {made[0].file, made[2].file}
    assert next(found.read()).at == max(next(made[n].read()).at for n in (0, 2))
    assert find_journal(tmp_path, {**HEADER, "uri": "sqlite:///y.db"}) is None

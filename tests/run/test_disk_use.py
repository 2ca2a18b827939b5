"""How much room runs take."""

from __future__ import annotations

from pathlib import Path

from src.run.disk_use import measure_folders


def test_a_file_of_two_names_counts_once(tmp_path: Path) -> None:
    run, record = tmp_path / "run", tmp_path / "record"
    run.mkdir()
    record.mkdir()
    (run / "best.ckpt").write_bytes(bytes(1000))
    (record / "best.ckpt").hardlink_to(run / "best.ckpt")
    (record / "metrics.json").write_bytes(bytes(20))
    assert measure_folders([run]) == 1000
    assert measure_folders([run, record]) == 1020
    assert measure_folders([]) == 0

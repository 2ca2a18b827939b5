"""What a run leaves for looking at, and what it costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlflow.tracking import MlflowClient

from src.run import run_page
from src.run.run_note import CURVES, GROUPS, LISTS
from tests.commands import TINY

if TYPE_CHECKING:
    import pytest

    from tests.conftest import Call, TrainedHome


def test_a_run_has_lists_curves_and_groups_that_its_note_links_to(trained: TrainedHome) -> None:
    client = MlflowClient(trained.uri)
    run = client.get_run(trained.run.run_id)
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("validation NDCG@10 .")
    for name in (LISTS, CURVES, GROUPS):
        place = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/{name}"
        assert f"]({place})" in note
    assert {LISTS, CURVES, GROUPS} <= {file.path for file in client.list_artifacts(run.info.run_id)}
    page = (trained.run.folder / LISTS).read_text(encoding="utf-8")
    assert page.count("<tr><td>") == 20
    assert page.count("<ol>") == 20


def test_a_run_pays_little_for_them_and_without_a_record_nothing(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[float] = []
    write = run_page.write_run_page

    def timed(*args: object) -> str:
        started = time.process_time()
        note = write(*args)  # type: ignore[arg-type]
        took.append(time.process_time() - started)
        return note

    monkeypatch.setattr("src.run.experiment.write_run_page", timed)
    words = (*TINY, "trainer.max_epochs=1")
    assert call(*words).status == 0
    assert len(took) == 1
    assert took[0] < 0.15
    finished = call(*words, "seed=1", "tracking=none")
    assert finished.status == 0
    assert len(took) == 1
    assert not (finished.folder / LISTS).exists()

"""The notebook for beginners: it runs from top to bottom, and its last cells hold what they say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.commands import REPOSITORY

FILE = REPOSITORY / "examples" / "quickstart.ipynb"


def outputs_of(notebook: Any) -> list[str]:
    """Return each code cell's value as plain text, or without one what the cell prints.

    The kernel sends a printed line in as many pieces as it was flushed in, often its end apart
    from the rest when the machine is busy: they are put together.
    """
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            values = [out["data"]["text/plain"] for out in cell.outputs if "data" in out]
            printed = "".join(out["text"] for out in cell.outputs if "text" in out)
            shown.append(values[-1] if values else printed)
    return shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def executed(folder: Path) -> Any:
    notebook = nbformat.read(FILE, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NCF_HOME", str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        # a copy that is not installed is found too
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=120, resources=where).execute()
    return notebook


def test_nothing_is_said_but_what_is_meant(executed: Any) -> None:
    for cell in executed.cells:
        for out in cell.get("outputs", []):
            assert out.get("name") != "stderr", out["text"]


def test_the_checkpoint_scores_the_same(executed: Any, folder: Path) -> None:
    *_, checkpoint, _, _ = outputs_of(executed)
    assert checkpoint == "the same scores: True\n"
    assert (folder / "outputs" / "quickstart" / "checkpoints" / "best.ckpt").is_file()


def test_ten_items_are_recommended_best_first(executed: Any) -> None:
    *_, table, _ = outputs_of(executed)
    rows = [line.split() for line in table.splitlines()[2:]]
    assert [int(place) for place, _, _ in rows] == list(range(1, 11))
    assert len({item for _, item, _ in rows}) == 10
    scores = [float(score) for _, _, score in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(map(math.isfinite, scores))


def test_the_results_are_those_of_the_test(executed: Any) -> None:
    *_, test, _, _, results = outputs_of(executed)
    rows = {line.split()[0]: line.split()[1:] for line in results.splitlines()[1:]}
    assert set(rows) == {"ItemPop", "GMF", "ItemKNN"}
    hr, ndcg = rows["GMF"][:2]
    assert test == f"HR@10 {hr}, NDCG@10 {ndcg}\n"
    assert float(ndcg) > 1.5 * float(rows["ItemPop"][1])  # it has learned tastes


def test_what_is_kept_in_the_file_is_what_it_gives(executed: Any) -> None:
    kept = nbformat.read(FILE, as_version=4)
    # all but the epochs, whose lines tell seconds
    for cell, (old, new) in enumerate(
        zip(outputs_of(kept), outputs_of(executed), strict=True), start=1
    ):
        assert bool(old) == bool(new), cell
    assert str(REPOSITORY) not in FILE.read_text()

"""Pictures of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.reporting.pictures.search_history import TrialPoint, draw_history, draw_importance
from tests.reporting.pictures.files import png_size, svg_texts

POINTS = [
    TrialPoint(0, 0.50, pruned=False),
    TrialPoint(1, 0.55, pruned=False),
    TrialPoint(3, 0.31, pruned=True),
    TrialPoint(4, 0.52, pruned=False),
]


@pytest.mark.parametrize("minimized", [False, True])
def test_history(tmp_path: Path, minimized: bool) -> None:
    file = tmp_path / "history.svg"
    draw_history(file, "synthetic-gmf-0a1b2c", "val/ndcg@10", POINTS, minimized)
    texts = svg_texts(file)
    assert {"trial", "val/ndcg@10", "finished", "pruned", "best so far"} <= set(texts)
    assert "synthetic-gmf-0a1b2c: val/ndcg@10 of 4 trials" in " ".join(texts)


def test_history_of_one_trial(tmp_path: Path) -> None:
    file = tmp_path / "history.svg"
    draw_history(file, "one", "val/rmse", POINTS[:1], minimized=True)
    assert "pruned" not in svg_texts(file)


def test_importance(tmp_path: Path) -> None:
    shares = {"optimizer.lr": 0.61, "model.factors": 0.39, "l2": 0.0}
    file = tmp_path / "importance.svg"
    draw_importance(file, "gmf", "val/ndcg@10", shares)
    texts = svg_texts(file)
    assert {"61 %", "39 %", "0 %", *shares} <= set(texts)
    assert texts.index("61 %") < texts.index("39 %")


def test_png(tmp_path: Path) -> None:
    draw_history(tmp_path / "history.png", "x", "val/ndcg@10", POINTS, minimized=False)
    assert png_size(tmp_path / "history.png") == (840, 480)

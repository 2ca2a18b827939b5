"""The picture of a run: which panels there are, and what they say."""

from __future__ import annotations

from pathlib import Path

from src.reporting.palette import HUES
from src.reporting.pictures.curves import COLORS, draw_curves
from tests.reporting.pictures.files import png_size, svg_texts


def epoch(number: int, part: str, **more: float) -> dict[str, float]:
    values = {"hr@5": 0.1, "hr@10": 0.2 + number / 10, "ndcg@10": 0.125, "mrr@10": 0.1}
    judged = {f"{part}/{name}": value for name, value in values.items()}
    return {"epoch": number, "train/loss": 1 / (1 + number), **judged, **more}


def test_rankings(tmp_path: Path) -> None:
    epochs = [epoch(number, "val") for number in range(3)]
    draw_curves(tmp_path / "curves.svg", "gmf on toy", epochs, 1, "val")
    texts = svg_texts(tmp_path / "curves.svg")
    assert {"gmf on toy", "training loss", "validation", "HR@10", "NDCG@10"} <= set(texts)
    assert {"0.3000", "0.1250", "selected epoch"} <= set(texts)  # of the second epoch
    assert not {"HR@5", "MRR@10", "validation RMSE"} & set(texts)
    draw_curves(tmp_path / "curves.png", "gmf on toy", epochs, 1, "val")
    assert png_size(tmp_path / "curves.png") == (1080, 432)


def test_ratings_have_axes_of_their_own(tmp_path: Path) -> None:
    epochs = [epoch(number, "test", **{"test/rmse": 0.9, "test/mae": 0.7}) for number in range(2)]
    draw_curves(tmp_path / "curves.svg", "mf on toy", epochs, 0, "test")
    texts = svg_texts(tmp_path / "curves.svg")
    assert {"test RMSE", "0.9000", "test", "HR@10"} <= set(texts)
    assert not any("MAE" in text for text in texts)
    draw_curves(tmp_path / "curves.png", "mf on toy", epochs, 0, "test")
    assert png_size(tmp_path / "curves.png") == (1620, 432)


def test_metrics_keep_their_colours() -> None:
    assert {"HR": HUES[0], "NDCG": HUES[1], "RMSE": HUES[2]} == COLORS

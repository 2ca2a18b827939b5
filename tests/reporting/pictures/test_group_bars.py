"""The picture of one run by groups."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from src.reporting.pictures.group_bars import draw_group_bars

METRICS = {
    "test/users-q1/hr@10": 0.8,
    "test/users-q1/ndcg@10": 0.4,
    "test/items-head/hr@10": 0.9,
    "test/items-head/ndcg@10": 0.5,
    "test/ndcg@10": 0.45,
}


def test_a_bar_for_each_metric_of_a_group(tmp_path: Path) -> None:
    assert draw_group_bars(tmp_path / "groups.svg", "neumf on <data>", METRICS)
    text = (tmp_path / "groups.svg").read_text()
    picture = ElementTree.fromstring(text)
    written = [one.text for one in picture.iter() if one.tag.endswith("text")]
    assert written[0] == "neumf on <data>"
    assert {".800", ".400", ".900", ".500", "least active", "head"} <= set(written)
    assert "tail" not in written
    # the highest bar is as high as there is room, the others in proportion
    heights = [float(height) for height in re.findall(r'width="32" .*?height="([\d.]+)"', text)]
    shares = [height / heights[2] for height in heights]
    assert shares == pytest.approx([8 / 9, 4 / 9, 1, 5 / 9], abs=0.001)


def test_a_run_without_groups_has_none(tmp_path: Path) -> None:
    assert not draw_group_bars(tmp_path / "groups.svg", "lists", {"test/ndcg@10": 0.4})
    assert list(tmp_path.iterdir()) == []

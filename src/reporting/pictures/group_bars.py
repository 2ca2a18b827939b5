"""The picture of one run by groups: bars in SVG, which takes no plotting library to write."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from src.evaluation.catalogue import CUTOFF, GROUPED, ITEM_GROUPS, USER_GROUPS, label_of
from src.reporting.palette import HUES
from src.reporting.wording import decimal

PANELS = {
    "users by their interactions in training": USER_GROUPS,
    "items to be found, by popularity": ITEM_GROUPS,
}
# Pixels
WIDTH, HEIGHT = 800, 300
TOP, BOTTOM, SIDE = 66, 250, 24
BAR, BETWEEN = 34, 22


def draw_group_bars(file: Path, title: str, metrics: Mapping[str, float]) -> bool:
    """Write a run's test metrics by group of users and of items; False where there are none.

    `metrics`: what the run came to, "test/users-q1/ndcg@10" and the like.
    """
    values = {
        (group, name): metrics[f"test/{group}/{name}@{CUTOFF}"]
        for groups in PANELS.values()
        for group in groups
        for name in GROUPED
        if f"test/{group}/{name}@{CUTOFF}" in metrics
    }
    if not values:
        return False
    top = max(*values.values(), 1e-9)
    parts = [_write(SIDE, 22, title, size=15), *_draw_legend()]
    left = SIDE
    for label, groups in PANELS.items():
        shown = {group: name for group, name in groups.items() if (group, GROUPED[0]) in values}
        parts.append(_write(left, TOP - 22, label, color="#555"))
        start = left
        for group, called in shown.items():
            for color, name in zip(HUES, GROUPED, strict=False):
                parts += _draw_bar(left, values[group, name], top, color)
                left += BAR
            parts.append(_write(left - BAR, BOTTOM + 18, called, anchor="middle"))
            left += BETWEEN
        parts.append(
            f'<line x1="{start}" x2="{left - BETWEEN}" y1="{BOTTOM}" y2="{BOTTOM}" stroke="#888"/>'
        )
        left += BETWEEN
    text = "\n".join(parts)
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif"><rect width="100%" height="100%" '
        f'fill="white"/>\n{text}\n</svg>\n'
    )
    return True


def _draw_legend() -> list[str]:
    """Name each colour, at the lower left."""
    parts, left = [], SIDE
    for color, name in zip(HUES, GROUPED, strict=False):
        parts.append(f'<rect x="{left}" y="{HEIGHT - 20}" width="11" height="11" fill="{color}"/>')
        label = f"test {label_of(f'{name}@{CUTOFF}')}"
        parts.append(_write(left + 17, HEIGHT - 10, label))
        left += 130
    return parts


def _draw_bar(left: float, value: float, top: float, color: str) -> list[str]:
    """Draw a bar with its value above it; `top` is the largest value that there is room for."""
    height = (BOTTOM - TOP) * value / top
    return [
        f'<rect x="{left + 1}" y="{BOTTOM - height:.1f}" width="{BAR - 2}" height="{height:.1f}" '
        f'fill="{color}"/>',
        _write(left + BAR / 2, BOTTOM - height - 4, decimal(value, 3), anchor="middle", size=11),
    ]


def _write(
    x: float, y: float, text: str, *, size: int = 12, color: str = "#222", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )

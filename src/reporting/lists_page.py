"""The page of what a run recommends to some of its users, beside what they had and should get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = """
body { font: 14px/1.4 sans-serif; margin: 1.2em; color: #222; max-width: 1100px }
h1 { font-size: 1.2em } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .5em 1em .5em 0 }
td { border-top: 1px solid #ddd }
ol, ul { margin: 0; padding-left: 1.6em } b { color: #009E73 } small { color: #666 }
"""


@dataclass(frozen=True)
class ShownList:
    """A user's recommended items, for people."""

    user: str
    n_known: int
    """How many interactions the user has in training."""
    history: Sequence[str]
    """The latest items of these, the latest first."""
    held_out: Sequence[str]
    """The items of test, which the model should find."""
    recommended: Sequence[str]
    """The best unseen items, the best first."""


def write_lists_page(file: Path, title: str, about: str, lists: Sequence[ShownList]) -> None:
    """Write a self-contained page with a row for each user; hits are marked."""
    rows = "\n".join(map(_make_row, lists))
    file.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(about)}</p>\n"
        "<table><tr><th>user<th>had, the latest first<th>held out for test<th>recommended\n"
        f"{rows}\n</table></html>\n",
        encoding="utf-8",
    )


def _make_row(shown: ShownList) -> str:
    wanted = set(shown.held_out)
    found = [f"<b>{escape(i)} ✓</b>" if i in wanted else escape(i) for i in shown.recommended]
    left_out = shown.n_known - len(shown.history)
    more = f"<small>and {left_out:,} more</small>" if left_out > 0 else ""
    cells = [
        escape(shown.user),
        _list("ul", map(escape, shown.history)) + more,
        _list("ul", map(escape, shown.held_out)),
        _list("ol", found),
    ]
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}"


def _list(kind: str, items: Iterable[str]) -> str:
    return f"<{kind}>{''.join(f'<li>{item}' for item in items)}</{kind}>"

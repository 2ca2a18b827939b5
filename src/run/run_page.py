"""What a person looks at first of a finished run: its lists, its groups, and a note with links."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from src.data.interactions import IntArray, Interactions
from src.data.prepared import Prepared
from src.errors import UserError
from src.evaluation.ranking import Ranking
from src.reporting.lists_page import ShownList, write_lists_page
from src.reporting.pictures.group_bars import draw_group_bars
from src.run.assembly import Run
from src.run.item_table import read_item_table
from src.run.options import Options
from src.run.run_note import GROUPS, LISTS, make_note

USERS, LENGTH, HISTORY = 20, 10, 5


def write_run_page(folder: Path, options: Options, made: Run, metrics: Mapping[str, float]) -> str:
    """Write a tested run's lists and groups to its folder, and return a note that links to them."""
    draw_group_bars(folder / GROUPS, f"{options.title}, seed {options.seed}", metrics)
    ranking = made.module.rankings[-1]
    if ranking.lists:
        lists = _choose_lists(ranking, made.data.prepared, _read_titles(options))
        about = (
            f"{len(lists)} users of test, from the least to the most active in training, and the "
            "best of all items that each has not seen. ✓ is what the user then took."
        )
        write_lists_page(folder / LISTS, f"Recommended by {options.title}", about, lists)
    return make_note(folder, metrics)


def _read_titles(options: Options) -> Mapping[str, str]:
    """Return titles by raw id; none where there are none, or none any more."""
    try:
        table = read_item_table(options)
    except UserError:
        return {}
    return {} if table is None else dict(zip(table.index, table["title"], strict=True))


def _choose_lists(
    ranking: Ranking, prepared: Prepared, titles: Mapping[str, str]
) -> list[ShownList]:
    """Choose users of test, spread evenly over how active they are, and their lists."""
    train, test = prepared.split.train, prepared.part("test")
    users = ranking.targets.users.unique().cpu()
    items = torch.cat(ranking.lists).cpu().numpy()
    order = ranking.targets.activity.cpu()[users].argsort(stable=True).numpy()
    places = order[np.unique(np.linspace(0, len(order) - 1, USERS).astype(int))]

    def name(numbers: IntArray) -> list[str]:
        return [_name(str(raw), titles) for raw in train.item_ids[numbers]]

    shown = []
    for place in places:
        user = int(users[place])
        known = _find_history(train, user)
        best = items[place, :LENGTH]
        shown.append(
            ShownList(
                user=str(train.user_ids[user]),
                n_known=len(known),
                history=name(known[:HISTORY]),
                held_out=name(test.items[test.users == user][:HISTORY]),
                recommended=name(best[best >= 0]),
            )
        )
    return shown


def _find_history(train: Interactions, user: int) -> IntArray:
    """Return the items of a user in training, the latest first where times are known."""
    rows = np.flatnonzero(train.users == user)
    if train.timestamps is not None:
        rows = rows[np.argsort(-train.timestamps[rows], kind="stable")]
    return train.items[rows]


def _name(raw: str, titles: Mapping[str, str]) -> str:
    return titles.get(raw) or f"item {raw}"

"""What each change of a study adds, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.causes.runs import Runs
from benchmarks.causes.settings import CHOSEN_ON_TEST, SINGLE_EXAMPLES, Study
from src.evaluation.significance import LEVEL, holm
from src.papers.markdown import format_table
from src.papers.resampling import Resampled
from src.reporting.wording import decimal

BEST_SEED = "and the best of three seeds, by test too"
RULE = (
    "HR@10 / NDCG@10 on test, means of three seeds; of a change, what it adds to the row above all "
    "changes. **Bold** where the difference in NDCG@10 is more than chance: p < "
    f"{LEVEL} by a bootstrap over users and seeds, after Holm's correction for the column."
)


class Added(NamedTuple):
    """What a change adds."""

    hr: float
    ndcg: float
    p: float


def format_study(study: Study, runs: Runs) -> list[str]:
    """Return the table, a column a system."""
    columns = [_compare(runs[system]) for system in study.systems]
    labels = [change.label for change in study.changes]
    labels.insert(1 + labels.index(CHOSEN_ON_TEST.label), BEST_SEED)
    rows = [
        ["published", *(_pair(*system.published) for system in study.systems.values())],
        ["here, epoch chosen on validation", *(_mean(runs[system]) for system in study.systems)],
    ]
    for label in (*labels, SINGLE_EXAMPLES):
        cells = [_format(added) if (added := column.get(label)) else "" for column in columns]
        if any(cells):
            rows.append([label, *cells])
    headings = ["", *(system.label for system in study.systems.values())]
    return [*format_table(headings, rows), "", RULE]


def _compare(runs: Mapping[str, Sequence[pd.DataFrame]]) -> dict[str, Added]:
    """Return what each change adds to the system's own settings, by its label."""
    if "" not in runs:
        return {}
    users = {label: [table["ndcg@10"].to_numpy() for table in runs[label]] for label in runs}
    resampled = Resampled(users)
    tested = {label: resampled.compare([(label, "")]) for label in runs if label}
    adjusted = holm(np.array([one.p for one in tested.values()])) if tested else ()
    base = fmean(map(_hr, runs[""]))
    added = {
        label: Added(fmean(map(_hr, runs[label])) - base, one.difference, float(p))
        for (label, one), p in zip(tested.items(), adjusted, strict=True)
    }
    if CHOSEN_ON_TEST.label in runs:
        best = max(runs[CHOSEN_ON_TEST.label], key=_hr)
        ndcg = float(best["ndcg@10"].mean()) - resampled.means[""]
        # the largest of several is not tested as if it were any
        added[BEST_SEED] = Added(_hr(best) - base, ndcg, 1.0)
    return added


def _hr(table: pd.DataFrame) -> float:
    return float(table["hr@10"].mean())


def _mean(runs: Mapping[str, Sequence[pd.DataFrame]]) -> str:
    if "" not in runs:
        return ""
    return _pair(*np.mean([table[["hr@10", "ndcg@10"]].mean() for table in runs[""]], axis=0))


def _pair(hr: float, ndcg: float, sign: bool = False) -> str:
    return f"{decimal(hr, 4, sign)} / {decimal(ndcg, 4, sign)}"


def _format(added: Added) -> str:
    text = _pair(added.hr, added.ndcg, sign=True)
    return f"**{text}**" if added.p < LEVEL else text

"""The table of causes, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd

from benchmarks.causes.runs import Key
from benchmarks.causes.settings import CAUSES, CHOSEN_ON_TEST, SINGLE_EXAMPLES, SYSTEMS
from src.evaluation.significance import LEVEL, holm
from src.papers.markdown import format_table
from src.papers.resampling import Resampled
from src.reporting.wording import decimal

BEST_SEED = "and the best of three seeds, by test too"
RULE = (
    "HR@10 / NDCG@10 on test, means of three seeds; of a cause, what it adds to the row above all "
    "causes. **Bold** where the difference in NDCG@10 is more than chance: p < "
    f"{LEVEL} by a bootstrap over users and seeds, after Holm's correction for the column. Empty: "
    "nothing to change, or not run."
)


@dataclass(frozen=True)
class Change:
    """What a cause adds."""

    hr: float
    ndcg: float
    p: float


def format_causes(found: Mapping[Key, Sequence[pd.DataFrame]]) -> list[str]:
    """Return the table, a column a system."""
    columns = {system: _compare(system, found) for system in SYSTEMS}
    labels = [cause.label for cause in CAUSES]
    labels.insert(1 + labels.index(CHOSEN_ON_TEST.label), BEST_SEED)
    rows = [
        ["published", *(_pair(*system.published) for system in SYSTEMS.values())],
        ["here, epoch chosen on validation", *(_mean(found, system) for system in SYSTEMS)],
    ]
    for label in (*labels, SINGLE_EXAMPLES):
        cells = [columns[system].get(label) for system in SYSTEMS]
        rows.append([label, *(_format(cell) if cell else "" for cell in cells)])
    headings = ["", *(system.label for system in SYSTEMS.values())]
    return [*format_table(headings, rows), "", RULE]


def _compare(system: str, found: Mapping[Key, Sequence[pd.DataFrame]]) -> dict[str, Change]:
    """Return what each cause adds to the system's own settings, by its label."""
    own = found.get((system, ""))
    if own is None:
        return {}
    runs = {label: tables for (name, label), tables in found.items() if name == system}
    resampled = Resampled(
        {label: [table["ndcg@10"].to_numpy() for table in tables] for label, tables in runs.items()}
    )
    labels = [label for label in runs if label]
    tested = {label: resampled.compare([(label, "")]) for label in labels}
    adjusted = holm(np.array([one.p for one in tested.values()])) if tested else ()
    base = fmean(_hr(table) for table in own)
    changes = {
        label: Change(fmean(_hr(table) for table in runs[label]) - base, one.difference, float(p))
        for (label, one), p in zip(tested.items(), adjusted, strict=True)
    }
    if CHOSEN_ON_TEST.label in runs:
        best = max(runs[CHOSEN_ON_TEST.label], key=_hr)
        ndcg = float(best["ndcg@10"].mean()) - resampled.means[""]
        # the largest of several is not tested as if it were any
        changes[BEST_SEED] = Change(_hr(best) - base, ndcg, 1.0)
    return changes


def _hr(table: pd.DataFrame) -> float:
    return float(table["hr@10"].mean())


def _mean(found: Mapping[Key, Sequence[pd.DataFrame]], system: str) -> str:
    tables = found.get((system, ""), ())
    if not tables:
        return ""
    means = np.mean([table[["hr@10", "ndcg@10"]].mean() for table in tables], axis=0)
    return _pair(*means)


def _pair(hr: float, ndcg: float) -> str:
    return f"{decimal(hr)} / {decimal(ndcg)}"


def _format(change: Change) -> str:
    text = f"{decimal(change.hr, 4, sign=True)} / {decimal(change.ndcg, 4, sign=True)}"
    return f"**{text}**" if change.p < LEVEL else text

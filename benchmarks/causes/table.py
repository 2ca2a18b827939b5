"""What each change of a study adds, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from benchmarks.causes.runs import Runs, Seed
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
    validation: float | None = None


def format_study(study: Study, runs: Runs) -> list[str]:
    """Return the table, a column a system, or two where validation is shown."""
    changes = [_compare(runs[system]) for system in study.systems]
    labels = [change.label for change in study.changes]
    labels.insert(1 + labels.index(CHOSEN_ON_TEST.label), BEST_SEED)
    titles = ["", *(system.label for system in study.systems.values())]
    published = ["published", *(_pair(*system.published) for system in study.systems.values())]
    ours = ["here, epoch chosen on validation", *(_format_mean(one) for one in runs.values())]
    rows = [published, ours]
    for label in (*labels, SINGLE_EXAMPLES):
        cells = [_format(one[label]) if label in one else "" for one in changes]
        if any(cells):
            rows.append([label, *cells])
    if study.shows_validation:
        (only,), (mine,) = changes, runs.values()
        titles.append("NDCG@10 on validation")
        for row in rows:
            row.append(
                _format_optional(only[row[0]].validation, sign=True) if row[0] in only else ""
            )
        ours[-1] = _format_optional(_mean_validation(mine.get("", ())))
    return [*format_table(titles, rows), "", RULE]


def _compare(runs: Mapping[str, Sequence[Seed]]) -> dict[str, Added]:
    """Return what each change adds to the system's own settings, by its label."""
    if "" not in runs:
        return {}
    users = {label: [seed.users["ndcg@10"].to_numpy() for seed in runs[label]] for label in runs}
    resampled = Resampled(users)
    tested = {label: resampled.compare([(label, "")]) for label in runs if label}
    adjusted = holm(np.array([one.p for one in tested.values()])) if tested else ()
    base, validation = fmean(map(_hr, runs[""])), _mean_validation(runs[""])
    added = {}
    for (label, one), p in zip(tested.items(), adjusted, strict=True):
        judged = _mean_validation(runs[label])
        more = None if judged is None or validation is None else judged - validation
        hr = fmean(map(_hr, runs[label])) - base
        added[label] = Added(hr, one.difference, float(p), more)
    if CHOSEN_ON_TEST.label in runs:
        best = max(runs[CHOSEN_ON_TEST.label], key=_hr)
        ndcg = float(best.users["ndcg@10"].mean()) - resampled.means[""]
        # the largest of several is not tested as if it were any
        added[BEST_SEED] = Added(_hr(best) - base, ndcg, 1.0)
    return added


def _hr(seed: Seed) -> float:
    return float(seed.users["hr@10"].mean())


def _mean_validation(seeds: Sequence[Seed]) -> float | None:
    judged = [seed.validation for seed in seeds if seed.validation is not None]
    return fmean(judged) if judged else None


def _format_mean(runs: Mapping[str, Sequence[Seed]]) -> str:
    if "" not in runs:
        return ""
    return _pair(*np.mean([seed.users[["hr@10", "ndcg@10"]].mean() for seed in runs[""]], axis=0))


def _format_optional(value: float | None, sign: bool = False) -> str:
    return "" if value is None else decimal(value, 4, sign)


def _pair(hr: float, ndcg: float, sign: bool = False) -> str:
    return f"{decimal(hr, 4, sign)} / {decimal(ndcg, 4, sign)}"


def _format(added: Added) -> str:
    text = _pair(added.hr, added.ndcg, sign=True)
    return f"**{text}**" if added.p < LEVEL else text

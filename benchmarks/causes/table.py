"""What each change of a study adds, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import NamedTuple

import numpy as np

from benchmarks.causes.runs import Runs, Seed
from benchmarks.causes.settings import CHOSEN_ON_TEST, SEEDS, SINGLE_EXAMPLES, Study
from src.evaluation.significance import LEVEL, holm
from src.papers.markdown import format_table
from src.papers.resampling import RULE as RULE_OF_RESAMPLING
from src.papers.resampling import Resampled, Values
from src.reporting.wording import counted, decimal

BEST_SEED = "and the best of three seeds, by test too"
RULE = (
    "HR@10 / NDCG@10 on test, means of three seeds; of a change, what it adds to the row above all "
    "changes, each seed to the same seed there. **Bold** where the difference in NDCG@10 is more "
    f"than chance: p < {LEVEL} after Holm's correction for the column. {RULE_OF_RESAMPLING}"
)


class Added(NamedTuple):
    """What a change adds."""

    hr: float
    """To HR@10 on test."""
    ndcg: float
    """To NDCG@10 on test."""
    p: float
    """Of its adding nothing to NDCG@10, after Holm's correction."""
    validation: float | None = None
    """To NDCG@10 on validation, where validation chose the epoch."""
    seeds: int = len(SEEDS)
    """Of how many seeds this is the mean."""


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
        ours[-1] = _format_optional(_mean_validation(mine.get("", {}).values()))
    return [*format_table(titles, rows), "", RULE]


def _compare(runs: Mapping[str, Mapping[int, Seed]]) -> dict[str, Added]:
    """Return what each change adds to the system's own settings, by its label."""
    own = runs.get("", {})
    # by label: its runs, and the system's own, of the seeds that both have
    both = {
        label: [(mine[seed], own[seed]) for seed in mine if seed in own]
        for label, mine in runs.items()
        if label
    }
    both = {label: pairs for label, pairs in both.items() if pairs}
    resampled = Resampled(
        {
            label: [_get_ndcg(changed) - _get_ndcg(base) for changed, base in pairs]
            for label, pairs in both.items()
        }
    )
    tested = [resampled.estimate(label) for label in both]
    adjusted = holm(np.array([one.p for one in tested])) if tested else ()
    added = {}
    for (label, pairs), one, p in zip(both.items(), tested, adjusted, strict=True):
        hr = fmean(_mean_hr(changed) - _mean_hr(base) for changed, base in pairs)
        judged = _mean_validation(changed for changed, _ in pairs)
        before = _mean_validation(base for _, base in pairs)
        more = None if judged is None or before is None else judged - before
        added[label] = Added(hr, one.value, float(p), more, len(pairs))
    if CHOSEN_ON_TEST.label in both:
        best = max((changed for changed, _ in both[CHOSEN_ON_TEST.label]), key=_mean_hr)
        hr = _mean_hr(best) - fmean(map(_mean_hr, own.values()))
        ndcg = _get_ndcg(best).mean() - fmean(_get_ndcg(seed).mean() for seed in own.values())
        # the largest of several is not tested as if it were any
        added[BEST_SEED] = Added(hr, float(ndcg), 1.0)
    return added


def _get_ndcg(seed: Seed) -> Values:
    """Return NDCG@10 on test by user [U]."""
    return seed.users["ndcg@10"].to_numpy()


def _mean_hr(seed: Seed) -> float:
    """Return HR@10 on test."""
    return float(seed.users["hr@10"].mean())


def _mean_validation(seeds: Iterable[Seed]) -> float | None:
    """Return the mean NDCG@10 on validation; None where validation chose no epoch."""
    judged = [seed.validation for seed in seeds if seed.validation is not None]
    return fmean(judged) if judged else None


def _format_mean(runs: Mapping[str, Mapping[int, Seed]]) -> str:
    """Write the means of the system's own settings."""
    own = runs.get("", {}).values()
    if not own:
        return ""
    return _pair(fmean(map(_mean_hr, own)), fmean(_get_ndcg(seed).mean() for seed in own))


def _format_optional(value: float | None, sign: bool = False) -> str:
    """Write the value; nothing for none."""
    return "" if value is None else decimal(value, 4, sign)


def _pair(hr: float, ndcg: float, sign: bool = False) -> str:
    """Write HR@10 and NDCG@10: ".6840 / .4030"."""
    return f"{decimal(hr, 4, sign)} / {decimal(ndcg, 4, sign)}"


def _format(added: Added) -> str:
    """Write what is added, bold where it is more than chance, with the seeds where some miss."""
    text = _pair(added.hr, added.ndcg, sign=True)
    text = f"**{text}**" if added.p < LEVEL else text
    missing = added.seeds < len(SEEDS)
    return f"{text} ({added.seeds} of {counted(len(SEEDS), 'seed')})" if missing else text

"""The page's last section: which differences mean something."""

from __future__ import annotations

from pathlib import Path

from src.evaluation.significance import LEVEL, resamples_for
from src.reporting.comparison.measures import Comparison, title
from src.reporting.comparison.pairs import (
    MOST_TESTED,
    Pairs,
    compare_pairs,
    shown_in_matrix,
    telling_pairs,
)
from src.reporting.comparison.section import Picture, Section, selector, write_table
from src.reporting.wording import counted, decimal, listed, p_value
from src.tracking.reading import Reader


def significance(reader: Reader, comparison: Comparison, folder: Path) -> Section:
    """Tests on NDCG, and on request on HR; says so where there is nothing to test."""
    section = Section("significance", "Which differences mean something")
    ndcg, hr = (
        compare_pairs(reader, comparison, f"{name}@{comparison.cutoff}") for name in ("ndcg", "hr")
    )
    if ndcg is None:
        section.text.append(
            "Nothing to test: that takes two configurations whose runs kept their results by user "
            "(per_user.parquet)."
        )
        return section
    _tests(section, comparison, ndcg)
    _matrix(section, comparison, ndcg, folder)
    if hr is not None:
        other = Section("significance-hr", f"The same for {title(hr.metric)}")
        _matrix(other, comparison, hr, folder)
        section.closed.append(other)
    return section


def _tests(section: Section, comparison: Comparison, pairs: Pairs) -> None:
    """What was done, what it says and does not say, and the most telling pairs."""
    n = len(pairs.table)
    section.text.append(
        f"Paired tests on test {title(pairs.metric)} of {pairs.users:,} users, each configuration "
        f"averaged over its seeds: a bootstrap over users ({resamples_for(n):,} resamples; the "
        "interval of the mean difference lies between the 2.5th and 97.5th percentiles) and "
        f"Wilcoxon's signed ranks, both corrected for {counted(n, 'pair')} by Holm's method. "
        f"Different by both tests at p < {decimal(LEVEL, 2)}: {pairs.significant} of {n:,}."
        f"{_least_p(pairs)}"
    )
    section.text.append(
        "A difference that is not significant is not shown to be zero: these users do not suffice "
        "to tell on which side of zero it lies, and its interval says how large it could be. The "
        "tests speak of users like these and of these very weights, not of other seeds: how much "
        "seeds matter, the standard deviations in the table say."
    )
    if comparison.quality.endswith(("rmse", "mae")):
        section.text.append("Runs keep no errors of ratings by user, so the ranking is tested.")
    if not comparison.comparable:
        section.text.append(
            f"Only {len(pairs.names)} configurations of the same data, candidates and protocol are "
            "tested."
        )
    elif len(comparison.configurations) > MOST_TESTED:
        section.text.append(
            f"Only {MOST_TESTED} configurations are tested: the best of each model, then the next, "
            f"by {selector(comparison)}."
        )
    if len({one.model for one in shown_in_matrix(comparison, pairs)}) > 1:
        section.text.append(f"The best of each model by {selector(comparison)}:")
    section.heads = ["pair", "difference", "95 % interval", "p, bootstrap", "p, Wilcoxon"]
    section.rows = [
        [
            f"{row['a']} − {row['b']}",
            decimal(row["difference"], sign=True),
            f"{decimal(row['low'], sign=True)} to {decimal(row['high'], sign=True)}",
            p_value(row["bootstrap_p_holm"]),
            p_value(row["wilcoxon_p_holm"]),
        ]
        for row in telling_pairs(comparison, pairs)
    ]


def _least_p(pairs: Pairs) -> str:
    if p_value(pairs.least_p).startswith("<"):
        return ""
    return (
        " With so many resamples and pairs the bootstrap's p can't be below "
        f"{p_value(pairs.least_p)}."
    )


def _matrix(section: Section, comparison: Comparison, pairs: Pairs, folder: Path) -> None:
    shown = [one.mark for one in shown_in_matrix(comparison, pairs)]
    what = f"test {title(pairs.metric)}"
    slug = pairs.metric.replace("@", "-at-")
    file = folder / f"pairs-{slug}.png"
    inches = pairs.draw(file, shown, f"{what}, row − column")
    beaten = [name for name in shown[1:] if pairs.beats(shown[0], name)]
    alt = (
        f"Matrix of the differences in {what} between {len(shown)} configurations; "
        f"{pairs.significant} of {counted(len(pairs.table), 'pair')} differ by both tests. "
        f"{shown[0]} is significantly above {listed(beaten) if beaten else 'none of the others'}."
    )
    section.pictures.append(Picture(file, alt, inches=inches))
    labels = {one.mark: one.label for one in comparison.configurations}
    table = pairs.table.assign(**{name: pairs.table[name].map(labels) for name in ("a", "b")})
    section.files.append(write_table(folder / f"pairs-{slug}.csv", table))
    section.caption = (
        "Row minus column; coloured where both tests find the difference significant, black on "
        "white where one does, grey where none does."
    )
    if len(pairs.names) > len(shown):
        section.caption += (
            f" {len(shown)} configurations are shown: the best of each model, then the next, by "
            f"{selector(comparison)}; the file has all pairs."
        )

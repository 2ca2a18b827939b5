"""The page's last section: which differences mean something."""

from __future__ import annotations

from pathlib import Path

from src.evaluation.significance import LEVEL, resamples_for
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.pairs import (
    MOST_TESTED,
    Pairs,
    choose_for_matrix,
    choose_telling_pairs,
    compare_pairs,
)
from src.reporting.comparison.section import Picture, Section
from src.reporting.comparison.tables import write_csv
from src.reporting.wording import counted, decimal, listed, p_value
from src.tracking.reading import Reader


def make_significance_section(reader: Reader, comparison: Comparison, folder: Path) -> Section:
    """Test on NDCG, and on request on HR; say so where there is nothing to test."""
    section = Section("significance", "Which differences mean something")
    ndcg, hr = (
        compare_pairs(reader, comparison, f"{name}@{comparison.cutoff}") for name in ("ndcg", "hr")
    )
    if ndcg is None:
        section.text.append(f"Nothing to test: {_say_why_not(comparison)}")
        return section
    section.text = _explain_tests(comparison, ndcg)
    section.heads = ["pair", "difference", "95 % interval", "p, bootstrap", "p, Wilcoxon"]
    section.heads.append("by seed, least to most")
    section.rows = _fill_pair_rows(comparison, ndcg)
    _add_matrix(section, comparison, ndcg, folder)
    if hr is not None:
        title = f"The same for {comparison.metrics.label(hr.metric)}"
        other = Section("significance-hr", title)
        _add_matrix(other, comparison, hr, folder)
        section.closed.append(other)
    return section


def _say_why_not(comparison: Comparison) -> str:
    """Return what is missing for a test between two configurations."""
    found = comparison.configurations
    if len(found) < 2:
        return "there is only one configuration."
    if len({one.comparable for one in found}) == len(found):
        return "no two configurations have the same data, candidates and protocol."
    return (
        "that takes two configurations of the same data, candidates and protocol whose runs "
        "were scored on test and kept their results by user (per_user.parquet)."
    )


def _explain_tests(comparison: Comparison, pairs: Pairs) -> list[str]:
    """Return paragraphs on what was done, and what the tests say and do not say."""
    n = len(pairs.table)
    text = [
        f"Paired tests on test {comparison.metrics.label(pairs.metric)} of {pairs.users:,} users, "
        "each configuration averaged over its seeds: a bootstrap over users "
        f"({resamples_for(n):,} resamples; the interval of the mean difference lies between the "
        "2.5th and 97.5th percentiles) and Wilcoxon's signed ranks, both corrected for "
        f"{counted(n, 'pair')} by Holm's method. "
        f"Different by both tests at p < {decimal(LEVEL, 2)}: {pairs.significant} of {n:,}."
        f"{_mention_least_p(pairs)}",
        "A difference that is not significant is not shown to be zero: these users do not suffice "
        "to tell on which side of zero it lies, and its interval says how large it could be. The "
        "tests speak of users like these and of these very weights, not of other seeds: the last "
        "column has the least and the most that the difference comes to when seeds are taken one "
        "by one. Where it has both signs, another seed may turn the order around.",
    ]
    if comparison.metrics.find(comparison.quality).basis == "ratings":
        text.append("Runs keep no errors of ratings by user, so the ranking is tested.")
    if not comparison.comparable:
        text.append(
            f"Only {len(pairs.names)} configurations of the same data, candidates and protocol are "
            "tested."
        )
    elif len(comparison.configurations) > MOST_TESTED:
        text.append(
            f"Only {MOST_TESTED} configurations are tested: the best of each model, then the next, "
            f"by {comparison.selector_label}."
        )
    if len({one.model for one in choose_for_matrix(comparison, pairs)}) > 1:
        text.append(f"The best of each model by {comparison.selector_label}:")
    return text


def _fill_pair_rows(comparison: Comparison, pairs: Pairs) -> list[list[str]]:
    """Return the rows of the short table: the most telling pairs."""
    return [
        [
            f"{row['a']} − {row['b']}",
            decimal(row["difference"], sign=True),
            f"{decimal(row['low'], sign=True)} to {decimal(row['high'], sign=True)}",
            p_value(row["bootstrap_p_holm"]),
            p_value(row["wilcoxon_p_holm"]),
            _span_over_seeds(comparison, pairs.metric, row["a"], row["b"]),
        ]
        for row in choose_telling_pairs(comparison, pairs)
    ]


def _span_over_seeds(comparison: Comparison, metric: str, a: str, b: str) -> str:
    """Return the least and the most that a is above b, seed by seed: "+.0012 to +.0034, 3 seeds".

    A configuration of one seed, such as a model that is fitted without chance, is compared to each
    seed of the other.
    """
    by_mark = {one.mark: one for one in comparison.configurations}
    first, second = (by_mark[mark].by_seed(f"test/{metric}") for mark in (a, b))
    shared = sorted(first.keys() & second.keys())
    if len(shared) > 1:
        found = [first[seed] - second[seed] for seed in shared]
    elif min(len(first), len(second)) == 1:
        found = [one - other for one in first.values() for other in second.values()]
    else:
        found = []
    if len(found) < 2:
        return "one seed"
    least, most = (decimal(value, sign=True) for value in (min(found), max(found)))
    return f"{least} to {most}, {len(found)} seeds"


def _mention_least_p(pairs: Pairs) -> str:
    """Return a sentence where the resamples can't show a smaller p, else ""."""
    if p_value(pairs.least_p).startswith("<"):
        return ""
    return (
        " With so many resamples and pairs the bootstrap's p can't be below "
        f"{p_value(pairs.least_p)}."
    )


def _add_matrix(section: Section, comparison: Comparison, pairs: Pairs, folder: Path) -> None:
    """Add the matrix of differences, with its caption and a file of all pairs."""
    shown = [one.mark for one in choose_for_matrix(comparison, pairs)]
    what = f"test {comparison.metrics.label(pairs.metric)}"
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
    section.files.append(write_csv(folder / f"pairs-{slug}.csv", table))
    section.caption = (
        "Row minus column; coloured where both tests find the difference significant, black on "
        "white where one does, grey where none does."
    )
    if len(pairs.names) > len(shown):
        section.caption += (
            f" {len(shown)} configurations are shown: the best of each model, then the next, by "
            f"{comparison.selector_label}; the file has all pairs."
        )

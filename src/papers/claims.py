"""The claims of the paper and of its critics, judged on the runs that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.evaluation.significance import LEVEL, RESAMPLES, holm
from src.papers.exhibits import DATA_LABELS, PROTOCOL_LABELS
from src.papers.published import FACTORS, RowKey
from src.papers.reproduction import ExhibitResult, RecordedRuns
from src.reporting.wording import counted, decimal

Values = NDArray[np.float64]
Verdict = Literal["holds", "fails", "can't be told", "no runs yet"]
METRIC = "ndcg@10"
# Resamples drawn at a time: counts of 6,040 users in 500 of them are 24 MB
TOGETHER = 500


class Row(NamedTuple):
    """A row of an exhibit."""

    exhibit: str
    key: RowKey


@dataclass(frozen=True)
class Claim:
    """That one system is better than another, at each of several settings."""

    text: str
    pairs: tuple[tuple[Row, Row], ...]
    """The better and the worse one."""


def _compare_neumf(*others: str) -> tuple[tuple[Row, Row], ...]:
    """Set the pre-trained NeuMF against other systems at all numbers of factors."""
    return tuple(
        (Row("figure4", ("neumf-pretrained", factors)), Row("figure4", (other, factors)))
        for other, factors in product(others, FACTORS)
    )


def _compare_negatives(other: int) -> tuple[tuple[Row, Row], ...]:
    """Set four and six negatives against another number of them, for each system."""
    return tuple(
        (Row("figure7", (system, best)), Row("figure7", (system, other)))
        for system, best in product(("gmf", "mlp", "neumf-pretrained"), (4, 6))
    )


CLAIMS = (
    Claim("NeuMF, pre-trained, is better than GMF", _compare_neumf("gmf")),
    Claim("NeuMF, pre-trained, is better than MLP", _compare_neumf("mlp")),
    Claim(
        "NeuMF, pre-trained, is better than factorization by BPR and ALS",
        _compare_neumf("mf-bpr", "ials"),
    ),
    Claim(
        "Pre-training helps NeuMF",
        tuple(
            (Row("table2", ("neumf-pretrained", f)), Row("table2", ("neumf", f))) for f in FACTORS
        ),
    ),
    Claim(
        "Deeper is better: an MLP with four hidden layers than one with one",
        tuple((Row("tables3-4", (4, f)), Row("tables3-4", (1, f))) for f in FACTORS),
    ),
    Claim("Four or six negatives are better than one", _compare_negatives(1)),
    Claim("Four or six negatives are better than ten", _compare_negatives(10)),
    Claim(
        "MF, tuned, is better than NeuMF, tuned (Rendle et al. 2020)",
        ((Row("rendle2020", ("mf",)), Row("rendle2020", ("neumf",))),),
    ),
)


@dataclass(frozen=True)
class JudgedClaim:
    """What the runs under one protocol say of a claim."""

    claim: Claim
    settings: int
    """How many of the claim's settings both sides have runs at."""
    seeds: int
    """How many each of them has at least."""
    difference: float
    """NDCG@10 of the better side minus the worse, the mean over settings and seeds."""
    low: float
    high: float
    """The interval that 95 % of the resampled differences are in."""
    p: float
    """Of no difference, two-sided, after Holm's correction for the claims under the protocol."""

    @property
    def verdict(self) -> Verdict:
        """What follows."""
        if not self.settings:
            return "no runs yet"
        if self.p >= LEVEL:
            return "can't be told"
        return "holds" if self.difference > 0 else "fails"


def judge_claims(
    results: Sequence[ExhibitResult], data: str, protocol: str, recorded: RecordedRuns
) -> list[JudgedClaim]:
    """Test every claim on the runs under the protocol, user by user and over seeds.

    A resample draws users with replacement, the same ones for all runs, and of each row as many of
    its seeds as there are. p = (1 + #{|d* - d| >= |d|}) / (1 + resamples), as in
    `significance.compare`.
    """
    runs = _read_runs(results, data, protocol, recorded)
    names = list(runs)
    flat = [values for name in names for values in runs[name]]
    means = _resample_means(np.stack(flat, 1)) if flat else np.empty((RESAMPLES, 0))
    generator = np.random.default_rng(1)
    drawn: dict[Row, Values] = {}
    first = 0
    for name in names:
        n = len(runs[name])
        chosen = generator.integers(first, first + n, size=(RESAMPLES, n))
        drawn[name] = np.take_along_axis(means, chosen, 1).mean(1)
        first += n
    judged = [_test(claim, runs, drawn) for claim in CLAIMS]
    there = [one for one in judged if one.settings]
    adjusted = iter(holm(np.array([one.p for one in there])) if there else ())
    return [replace(one, p=float(next(adjusted))) if one.settings else one for one in judged]


def _test(
    claim: Claim, runs: Mapping[Row, Sequence[Values]], drawn: Mapping[Row, Values]
) -> JudgedClaim:
    pairs = [pair for pair in claim.pairs if pair[0] in runs and pair[1] in runs]
    if not pairs:
        return JudgedClaim(claim, 0, 0, 0.0, 0.0, 0.0, 1.0)
    means = {row: float(np.mean(runs[row])) for pair in pairs for row in pair}
    difference = float(np.mean([means[better] - means[worse] for better, worse in pairs]))
    resampled = np.mean([drawn[better] - drawn[worse] for better, worse in pairs], axis=0)
    low, high = np.percentile(resampled, [2.5, 97.5])
    extreme = np.count_nonzero(np.abs(resampled - difference) >= abs(difference))
    seeds = min(len(runs[row]) for row in means)
    p = (1 + extreme) / (1 + len(resampled))
    return JudgedClaim(claim, len(pairs), seeds, difference, float(low), float(high), p)


def _read_runs(
    results: Sequence[ExhibitResult], data: str, protocol: str, recorded: RecordedRuns
) -> dict[Row, list[Values]]:
    """Return NDCG@10 by user [U] of each run of the rows that claims name."""
    wanted = {row for claim in CLAIMS for pair in claim.pairs for row in pair}
    found: dict[Row, list[Values]] = {}
    for result in results:
        for row in result.rows:
            name = Row(result.exhibit.name, row.key)
            if result.data != data or name not in wanted or protocol not in row.runs:
                continue
            tables = [
                recorded.read_table(record, "per_user.parquet")
                for record in row.runs[protocol].records
            ]
            values = [table[METRIC].to_numpy(np.float64) for table in tables if table is not None]
            if values:
                found[name] = values
    return found


def _resample_means(values: Values) -> Values:
    """Return means [resamples, runs] of values [U, runs] over users drawn with replacement."""
    generator = np.random.default_rng(0)
    n = len(values)
    counts = (
        generator.multinomial(n, np.full(n, 1 / n), size=TOGETHER)
        for _ in range(RESAMPLES // TOGETHER)
    )
    return np.concatenate([drawn @ values / n for drawn in counts])


@dataclass(frozen=True)
class ClaimTable:
    """The claims on one data set, by how the epoch was chosen."""

    title: str
    rows: list[list[str]]


HEADINGS = ("claim", "settings, seeds", "NDCG@10 more", "95 %", "p", "")
RULE = (
    "NDCG@10 of the better side minus the other, the mean over settings and seeds; users and seeds "
    "are drawn with replacement, 10,000 times; p after Holm's correction for the table. "
    f"It holds, or fails, where p < {LEVEL}. A single seed says nothing of other seeds."
)


def make_claim_tables(results: Sequence[ExhibitResult], recorded: RecordedRuns) -> list[ClaimTable]:
    """Return a table a data set and protocol under which any claim can be judged."""
    tables = []
    for data in dict.fromkeys(result.data for result in results):
        for protocol, label in PROTOCOL_LABELS.items():
            judged = judge_claims(results, data, protocol, recorded)
            if any(one.settings for one in judged):
                title = f"{DATA_LABELS.get(data, data)}, {label}"
                tables.append(ClaimTable(title, [_format_claim(one) for one in judged]))
    return tables


def _format_claim(one: JudgedClaim) -> list[str]:
    if not one.settings:
        return [one.claim.text, "", "", "", "", one.verdict]
    return [
        one.claim.text,
        f"{one.settings} of {len(one.claim.pairs)}, {counted(one.seeds, 'seed')}",
        decimal(one.difference, 4, sign=True),
        f"{decimal(one.low, 4, sign=True)} to {decimal(one.high, 4, sign=True)}",
        f"{one.p:.2g}",
        one.verdict,
    ]

"""The claims of the paper and of its critics, judged on the runs that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple

import numpy as np

from src.evaluation.significance import LEVEL, holm
from src.papers.exhibits import DATA_LABELS, EXHIBITS, LEAVE_ONE_OUT, PROTOCOL_LABELS
from src.papers.published import FACTORS, RowKey
from src.papers.reproduction import ExhibitResult, PaperMetric, RecordedRuns
from src.papers.resampling import RULE as RULE_OF_RESAMPLING
from src.papers.resampling import Resampled, Values
from src.reporting.wording import counted, decimal, p_value

Verdict = Literal["holds", "fails", "can't be told", "one seed", "no runs yet"]
METRIC: PaperMetric = "ndcg@10"


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

    @property
    def exhibits(self) -> set[str]:
        """The names of the exhibits that it is about."""
        return {row.exhibit for pair in self.pairs for row in pair}

    @property
    def of_revisit(self) -> bool:
        """Whether it is about exhibits that are made on validation alone."""
        return all(EXHIBITS[name].revisit for name in self.exhibits)


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
    seeds: tuple[int, int]
    """How many each of them has at least, and at most."""
    difference: float
    """NDCG@10 of the better side minus the worse, the mean over settings and seeds."""
    low: float
    high: float
    """The interval that 95 % of the resampled differences are in."""
    p: float
    """Of no difference, after Holm's correction for the claims under the protocol."""
    knows_seeds: bool = True
    """Whether the runs tell how much of a difference is a seed's luck."""

    @property
    def verdict(self) -> Verdict:
        """What follows."""
        if not self.settings:
            return "no runs yet"
        if not self.knows_seeds:
            return "one seed"
        if self.p >= LEVEL:
            return "can't be told"
        return "holds" if self.difference > 0 else "fails"


def judge_claims(
    results: Sequence[ExhibitResult], data: str, protocol: str, recorded: RecordedRuns
) -> list[JudgedClaim]:
    """Test the claims about these exhibits on the runs under the protocol."""
    runs = _read_runs(results, data, protocol, recorded)
    resampled = Resampled(runs)
    judged = [_test(claim, runs, resampled) for claim in _select_claims(results)]
    there = [one for one in judged if one.settings]
    adjusted = iter(holm(np.array([one.p for one in there])) if there else ())
    return [replace(one, p=float(next(adjusted))) if one.settings else one for one in judged]


def _select_claims(results: Sequence[ExhibitResult]) -> list[Claim]:
    """Return the claims that are about nothing but these exhibits."""
    names = {result.exhibit.name for result in results}
    return [claim for claim in CLAIMS if claim.exhibits <= names]


def _test(
    claim: Claim, runs: Mapping[Row, Sequence[Values]], resampled: Resampled[Row]
) -> JudgedClaim:
    """Test the claim where both sides have runs, without any correction of p."""
    pairs = [pair for pair in claim.pairs if pair[0] in runs and pair[1] in runs]
    if not pairs:
        return JudgedClaim(claim, 0, (0, 0), 0.0, 0.0, 0.0, 1.0)
    found = resampled.compare(pairs)
    counts = [len(runs[row]) for pair in pairs for row in pair]
    return JudgedClaim(
        claim,
        len(pairs),
        (min(counts), max(counts)),
        found.value,
        found.low,
        found.high,
        found.p,
        resampled.knows_seeds,
    )


def _read_runs(
    results: Sequence[ExhibitResult], data: str, protocol: str, recorded: RecordedRuns
) -> dict[Row, list[Values]]:
    """Return NDCG@10 by user [U] of each run of the rows that claims name."""
    wanted = {row for claim in CLAIMS for pair in claim.pairs for row in pair}
    found: dict[Row, list[Values]] = {}
    for result in results:
        for row in result.rows:
            name = Row(result.exhibit.name, row.key)
            records = row.runs[protocol].records if protocol in row.runs else []
            if result.data == data and name in wanted and records:
                found[name] = [recorded.get_users(one)[METRIC].to_numpy() for one in records]
    return found


class ClaimCell(NamedTuple):
    """A claim under one protocol, in words."""

    text: str
    verdict: Verdict | None = None
    """None where the cell only says how many runs there are."""


@dataclass(frozen=True)
class ClaimTable:
    """The claims on one data set, by how the epoch was chosen."""

    title: str
    headings: list[str]
    rows: list[tuple[str, list[ClaimCell]]]
    """Each claim, and its cells."""


RULE = (
    "Behind each verdict: NDCG@10 of the better side minus the other, the mean over settings and "
    "seeds, its 95 % interval, and p after Holm's correction for the claims of the column. It "
    f"holds, or fails, where p < {LEVEL}. {RULE_OF_RESAMPLING} Where no system has several seeds, "
    "the interval is of users alone, and nothing is told."
)


def make_claim_tables(results: Sequence[ExhibitResult], recorded: RecordedRuns) -> list[ClaimTable]:
    """Return a table a data set on which any claim can be judged."""
    tables = []
    for data in dict.fromkeys(result.data for result in results):
        judged = {
            protocol: judge_claims(results, data, protocol, recorded)
            for protocol in PROTOCOL_LABELS
        }
        judged = {name: mine for name, mine in judged.items() if any(o.settings for o in mine)}
        if judged:
            labels = [PROTOCOL_LABELS[protocol] for protocol in judged]
            headings = ["claim", *(word for label in labels for word in (label, "settings, seeds"))]
            rows = [
                (
                    claim.text,
                    [cell for name, mine in judged.items() for cell in _format(mine[place], name)],
                )
                for place, claim in enumerate(_select_claims(results))
            ]
            tables.append(ClaimTable(DATA_LABELS.get(data, data), headings, rows))
    return tables


def _format(one: JudgedClaim, protocol: str) -> tuple[ClaimCell, ClaimCell]:
    if not one.settings and protocol != LEAVE_ONE_OUT and one.claim.of_revisit:
        return ClaimCell("–"), ClaimCell("")
    if not one.settings:
        return ClaimCell(one.verdict, one.verdict), ClaimCell("")
    low, high = decimal(one.low, 4, sign=True), decimal(one.high, 4, sign=True)
    difference = f"{decimal(one.difference, 4, sign=True)} ({low} to {high})"
    p = f", p {_format_p(one.p)}" if one.knows_seeds else ""
    return (
        ClaimCell(f"{one.verdict}: {difference}{p}", one.verdict),
        ClaimCell(f"{one.settings} of {len(one.claim.pairs)}, {_format_seeds(*one.seeds)}"),
    )


def _format_seeds(fewest: int, most: int) -> str:
    return counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"


def _format_p(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"

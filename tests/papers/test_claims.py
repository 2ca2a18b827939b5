"""The claims of the papers, on made-up runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from src.papers.claims import CLAIMS, JudgedClaim, judge_claims, make_claim_tables
from src.papers.reproduction import ExhibitResult, RecordedRuns
from tests.papers.made import make_job, make_record, make_result, make_runs

# Ranks of 200 targets: a half, two thirds or nearly all of them first, the others not in the list
HALF, MORE, MOST = [1, 20] * 100, [1, 1, 20] * 66 + [1, 20], [1] * 199 + [20]


def _make_table_2(**ranks: Sequence[int]) -> tuple[list[ExhibitResult], RecordedRuns]:
    """Return table 2 of two systems at 8 factors, each with a run a seed."""
    jobs = [make_job(key, "neumf-pretrained" if key[0] == "p" else "neumf") for key in ranks]
    records = [make_record(key, 0.5, 0.5) for key in ranks]
    kept = make_runs(*records, **ranks)
    return [make_result("table2", jobs, kept)], kept


def _judge(**ranks: Sequence[int]) -> JudgedClaim:
    results, kept = _make_table_2(**ranks)
    judged = judge_claims(results, "ncf-ml-1m", "leave-one-out", kept)
    (one,) = (one for one in judged if one.claim.text == "Pre-training helps NeuMF")
    return one


def test_there_are_eight_claims_and_most_lack_runs_here() -> None:
    results, kept = _make_table_2(p0=HALF, n0=HALF)
    judged = judge_claims(results, "ncf-ml-1m", "leave-one-out", kept)
    assert [one.claim for one in judged] == list(CLAIMS)
    assert len(CLAIMS) == 8
    assert [one.verdict for one in judged].count("no runs yet") == 7


def test_a_claim_holds_or_fails() -> None:
    holds, fails = _judge(p0=MORE, n0=HALF), _judge(p0=HALF, n0=MORE)
    # 133 of 200 against 100
    assert holds.difference == pytest.approx(33 / 200)
    assert fails.difference == pytest.approx(-33 / 200)
    assert (holds.verdict, fails.verdict) == ("holds", "fails")
    assert holds.low < 33 / 200 < holds.high
    assert 1 / 10_001 <= holds.p < 0.01
    assert (holds.settings, holds.seeds) == (1, (1, 1))


def test_without_a_difference_nothing_can_be_told() -> None:
    same = _judge(p0=HALF, n0=HALF)
    assert (same.difference, same.p, same.verdict) == (0.0, 1.0, "can't be told")


def test_seeds_that_differ_leave_doubt() -> None:
    # every single seed of one side is clearly better or worse than the other side's
    doubt = _judge(p0=MOST, p1=HALF, n0=MORE, n1=MORE)
    assert doubt.seeds == (2, 2)
    assert doubt.difference == pytest.approx(np.mean([199, 100]) / 200 - 133 / 200)
    assert doubt.low < 0 < doubt.high
    assert doubt.verdict == "can't be told"


def test_the_table() -> None:
    results, kept = _make_table_2(p0=MORE, n0=HALF)
    (table,) = make_claim_tables(results, kept)
    assert table.title == "MovieLens-1M"
    assert table.headings == ["claim", "epoch chosen on validation", "settings, seeds"]
    found = dict(table.rows)
    verdict, runs = found["Pre-training helps NeuMF"]
    # the interval as it is drawn from the fixed seed
    assert verdict.text == "holds: +.1650 (+.0700 to +.2600), p < .001"
    assert (verdict.verdict, runs.text) == ("holds", "1 of 4, 1 seed")
    assert found["NeuMF, pre-trained, is better than GMF"][0].text == "no runs yet"

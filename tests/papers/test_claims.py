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


def test_there_are_eight_claims_and_those_about_these_exhibits_are_judged() -> None:
    assert len(CLAIMS) == 8
    results, kept = _make_table_2(p0=HALF, n0=HALF)
    (one,) = judge_claims(results, "ncf-ml-1m", "leave-one-out", kept)
    assert one.claim.text == "Pre-training helps NeuMF"
    results.append(make_result("tables3-4", [make_job("x", "mlp")], kept))
    judged = judge_claims(results, "ncf-ml-1m", "leave-one-out", kept)
    assert [one.verdict for one in judged] == ["one seed", "no runs yet"]


def test_a_claim_holds_or_fails() -> None:
    holds = _judge(p0=MORE, p1=MORE, n0=HALF)
    fails = _judge(p0=HALF, n0=MORE, n1=MORE)
    # 133 of 200 against 100
    assert holds.difference == pytest.approx(33 / 200)
    assert fails.difference == pytest.approx(-33 / 200)
    assert (holds.verdict, fails.verdict) == ("holds", "fails")
    assert holds.low < 33 / 200 < holds.high
    assert 1 / 10_001 <= holds.p < 0.01
    assert (holds.settings, holds.seeds) == (1, (1, 2))


def test_single_seeds_tell_nothing() -> None:
    one = _judge(p0=MORE, n0=HALF)
    assert one.verdict == "one seed"
    assert one.low < one.difference < one.high


def test_without_a_difference_nothing_can_be_told() -> None:
    same = _judge(p0=HALF, p1=HALF, n0=HALF)
    assert (same.difference, same.p, same.verdict) == (0.0, 1.0, "can't be told")


def test_seeds_that_differ_leave_doubt() -> None:
    # every single seed of one side is clearly better or worse than the other side's
    doubt = _judge(p0=MOST, p1=HALF, n0=MORE, n1=MORE)
    assert doubt.seeds == (2, 2)
    assert doubt.difference == pytest.approx(np.mean([199, 100]) / 200 - 133 / 200)
    assert doubt.low < 0 < doubt.high
    assert doubt.verdict == "can't be told"


def test_a_single_seed_has_the_luck_of_the_others() -> None:
    # 133 of 200 against 100, and seeds of one side that are 99 apart
    doubt = _judge(p0=MORE, n0=MOST[:100] + HALF[:100], n1=[20] * 100 + [1] * 100)
    assert doubt.seeds == (1, 2)
    assert doubt.low < 0 < doubt.high
    assert doubt.verdict == "can't be told"


def test_the_table() -> None:
    results, kept = _make_table_2(p0=MORE, p1=MORE, n0=HALF)
    (table,) = make_claim_tables(results, kept)
    assert table.title == "MovieLens-1M"
    assert table.headings == ["claim", "epoch chosen on validation", "settings, seeds"]
    found = dict(table.rows)
    assert list(found) == ["Pre-training helps NeuMF"]
    verdict, runs = found["Pre-training helps NeuMF"]
    # the interval as it is drawn from the fixed seed
    assert verdict.text == "holds: +.1650 (+.0700 to +.2600), p < .001"
    assert (verdict.verdict, runs.text) == ("holds", "1 of 4, 1 to 2 seeds")


def test_the_table_of_single_seeds() -> None:
    results, kept = _make_table_2(p0=MORE, n0=HALF)
    (table,) = make_claim_tables(results, kept)
    ((_, (verdict, _)),) = table.rows
    assert verdict.text == "one seed: +.1650 (+.0700 to +.2600)"

"""The deviation over seeds that all systems of a protocol have together."""

from __future__ import annotations

import pytest

from src.papers.reproduction import ExhibitResult
from src.papers.spread import pool_spreads, share_spreads
from tests.papers.made import make_job, make_record, make_result, make_runs

KIND = "ncf-ml-1m", "leave-one-out", "hr@10"


def make_figure_4() -> ExhibitResult:
    """Return GMF with two seeds, MLP with one, and ItemPop, which has no chance in it."""
    hr = {"g0": 0.63, "g1": 0.65, "m0": 0.67, "i0": 0.45}
    systems = {"g0": "gmf", "g1": "gmf", "m0": "mlp", "i0": "itempop"}
    jobs = [make_job(key, system, 8 if system != "itempop" else 0)
            for key, system in systems.items()]  # fmt: skip
    records = [make_record(key, value, 0.4, seed=int(key[1])) for key, value in hr.items()]
    return make_result("figure4", jobs, make_runs(*records))


def test_one_deviation_for_all_systems_with_chance() -> None:
    result = make_figure_4()
    # the same runs in a second table count once
    spreads = pool_spreads([result, result])
    assert spreads[KIND] == pytest.approx(0.02 / 2**0.5)
    (shared,) = share_spreads([result], spreads)
    between = {
        row.key[0]: row.runs["leave-one-out"].measured["hr@10"].between for row in shared.rows
    }
    assert between == {"gmf": spreads[KIND], "mlp": spreads[KIND], "itempop": 0.0}


def test_of_single_seeds_nothing_is_known() -> None:
    result = make_result("figure6", [make_job("a")], make_runs(make_record("a", 0.6, 0.3)))
    assert pool_spreads([result])[KIND] == 0.0

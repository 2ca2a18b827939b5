"""The loop of a search: what it says, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from src.errors import UserError
from src.tuning.outcome import Outcome
from src.tuning.search import search
from src.tuning.search_plan import SearchPlan
from src.tuning.space import Range
from src.tuning.study import Study

PLAN = SearchPlan(
    name="test",
    words=[],
    options={"protocol": {"monitor": "val/ndcg@10"}},
    space={"l2": Range(0.0, 1.0)},
    fixed=[],
    about={},
)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path, {}, False, 0, NopPruner())


def outcomes(monkeypatch: pytest.MonkeyPatch, *results: Outcome | BaseException) -> None:
    """Lets trials come to these, one after the other."""
    coming = iter(results)

    def run_trial(*_: Any) -> Outcome:
        result = next(coming)
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr("src.tuning.search.run_trial", run_trial)


def run(study: Study, total: int) -> list[str]:
    said: list[str] = []
    search(study, PLAN, total, explain=explain, say=said.append)
    return said


def explain(error: Exception) -> str | None:
    return str(error) if isinstance(error, UserError) else None


def test_a_line_for_each_trial(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(
        monkeypatch,
        Outcome(0.5, pruned=False, epochs=9, seconds=120.0),
        Outcome(0.1, pruned=True, epochs=4, seconds=60.0),
        UserError("no memory"),
        Outcome(0.75, pruned=False, epochs=9, seconds=120.0),
    )
    said = run(study, 3)
    drawn = [f"l2={trial.params['l2']:.4g}" for trial in study.trials]
    assert said == [
        "1/3  trial 0: val/ndcg@10 0.5000, 120.0 s; best 0.5000 (trial 0); about 4 min left; "
        + drawn[0],
        "2/3  trial 1: pruned after 4 epochs at val/ndcg@10 0.1000, 60.0 s; best 0.5000 (trial 0); "
        "about 2 min left; " + drawn[1],
        "2/3  trial 2: failed: no memory; best 0.5000 (trial 0); about 2 min left; " + drawn[2],
        "3/3  trial 3: val/ndcg@10 0.7500, 120.0 s; best 0.7500 (trial 3); " + drawn[3],
    ]


def test_a_search_with_more_failures_than_successes_ends(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Outcome(0.5, pruned=False, epochs=1, seconds=1.0), UserError("no memory")
    outcomes(monkeypatch, bad, good, bad, bad)
    with pytest.raises(UserError, match="3 of 4 trials failed, the last one with: no memory"):
        run(study, 50)


def test_a_bug_ends_the_search_and_its_trial(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(monkeypatch, KeyError("factors"))
    with pytest.raises(KeyError):
        run(study, 50)
    (trial,) = study.trials
    assert trial.user_attrs["error"] == "KeyError('factors')"


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(143)])
def test_what_is_cut_off_comes_again(
    study: Study, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    outcomes(monkeypatch, end)
    with pytest.raises(type(end)):
        run(study, 50)
    lost, waiting = study.study.trials
    assert (lost.state, waiting.state) == (TrialState.FAIL, TrialState.WAITING)
    again = study.next(PLAN.space, 50)
    assert again is not None
    assert again.params == lost.params

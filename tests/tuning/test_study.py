"""Studies that go on: what is drawn, what counts, and what is tried again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from optuna import Trial
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from src.errors import UserError
from src.tuning.outcome import Outcome
from src.tuning.space import Choices, Range, Space
from src.tuning.study import TIMES, Study, read_value

# How many trials a whole study has, of which most are drawn by what came before
MANY = 7


@pytest.fixture(autouse=True)
def few_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.tuning.study.RANDOM_TRIALS", 2)


SPACE: Space = {
    "lr": Range(1e-4, 1e-1, log=True),
    "factors": Choices([8, 16, 32]),
    "negatives": Range(1, 10),
}
ABOUT: dict[str, Any] = {"data.name": "synthetic", "search.lr": {"low": 1e-4}}


def opened(folder: Path, about: dict[str, Any] = ABOUT, seed: int = 0, low: bool = False) -> Study:
    return Study(folder, about, low, seed, MedianPruner(2, 1))


def end(study: Study, trial: Trial, value: float, pruned: bool = False) -> None:
    study.finish(trial, Outcome(value, pruned, epochs=3, seconds=1.0))


def worth(trial: Trial) -> float:
    """A made-up metric: best at many factors and few negatives."""
    return trial.params["factors"] / 32 - trial.params["negatives"] / 100


def work(study: Study, total: int) -> list[dict[str, Any]]:
    """Runs all trials; what they drew."""
    drawn = []
    while trial := study.next(SPACE, total):
        drawn.append(trial.params)
        end(study, trial, worth(trial))
    return drawn


def test_the_same_study_twice(tmp_path: Path) -> None:
    first, second = (work(opened(tmp_path / name), MANY) for name in ("a", "b"))
    assert first == second
    assert len(first) == MANY
    assert work(opened(tmp_path / "c", seed=1), 3) != first[:3]


def test_each_combination_once_where_there_are_trials_for_all(tmp_path: Path) -> None:
    space: Space = {"a": Choices([1, 2]), "b": Choices({"narrow": [8], "wide": [16, 8]})}
    every = {(a, b) for a in (1, 2) for b in ("narrow", "wide")}
    study = opened(tmp_path / "whole")
    drawn = []
    while trial := study.next(space, 4):
        drawn.append(tuple(trial.params.values()))
        if len(drawn) == 2:  # another process comes in between
            other = opened(tmp_path / "whole").next(space, 4)
            assert other is not None
            drawn.append(tuple(other.params.values()))
            end(study, other, 0.5)
        end(study, trial, 0.5)
    assert len(drawn) == 4
    assert set(drawn) == every
    # one that was cut off comes again with the same draws
    cut = opened(tmp_path / "cut")
    first = cut.next(space, 4)
    assert first is not None
    cut.give_back(first)
    again = cut.next(space, 4)
    assert again is not None
    assert again.params == first.params


def test_a_study_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = work(opened(tmp_path / "whole"), MANY)
    study = opened(tmp_path / "parts")
    parts = work(study, 3)
    study.close()
    parts += work(opened(tmp_path / "parts"), MANY)
    assert parts == whole
    assert work(opened(tmp_path / "parts"), MANY) == []


def test_a_trial_cut_off_comes_again_and_changes_nothing(tmp_path: Path) -> None:
    whole = work(opened(tmp_path / "whole"), MANY)
    study = opened(tmp_path / "cut")
    work(study, 4)
    lost = study.next(SPACE, MANY)
    assert lost is not None
    # the process ends here without a word: its lock goes with it
    study._worker.release()
    again = opened(tmp_path / "cut")
    assert lost.params == whole[4]
    assert work(again, MANY) == whole[4:]
    numbers = [trial.number for trial in again.trials]
    assert numbers == [0, 1, 2, 3, 5, 6, 7]
    assert again.study.trials[4].state == TrialState.FAIL
    assert not list((tmp_path / "cut").glob(f"*{Path(study._worker.lock_file).name}"))


def test_a_trial_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    here, there = opened(tmp_path), opened(tmp_path)
    mine, theirs = here.next(SPACE, 2), there.next(SPACE, 2)
    assert mine is not None
    assert theirs is not None
    assert mine.number != theirs.number
    assert here.next(SPACE, 2) is None
    here.take_back()
    assert [trial.state for trial in here.trials] == [TrialState.RUNNING] * 2


def test_what_ends_its_process_every_time_is_given_up(tmp_path: Path) -> None:
    study = opened(tmp_path)
    first = study.next(SPACE, 1)
    assert first is not None
    trial: Trial | None = first
    for _ in range(TIMES):
        assert trial is not None
        assert trial.params == first.params
        study.give_back(trial)
        trial = study.next(SPACE, 1)
    assert trial is not None
    assert trial.params != first.params
    failed = [t for t in study.trials if t.state == TrialState.FAIL]
    assert [t.user_attrs["error"] for t in failed] == [f"was cut off {TIMES} times"]


def test_giving_back_what_is_finished_changes_nothing(tmp_path: Path) -> None:
    study = opened(tmp_path)
    trial = study.next(SPACE, 1)
    assert trial is not None
    end(study, trial, 0.5)
    study.give_back(trial)
    assert [t.state for t in study.study.trials] == [TrialState.COMPLETE]


def test_failed_trials_do_not_count_and_are_not_repeated(tmp_path: Path) -> None:
    study = opened(tmp_path)
    failed = study.next(SPACE, 2)
    assert failed is not None
    study.fail(failed, "not enough memory")
    drawn = work(study, 2)
    assert len(drawn) == 2
    assert failed.params not in drawn
    assert study.n_finished() == 2


def test_only_the_best_trial_keeps_its_checkpoints(tmp_path: Path) -> None:
    study = opened(tmp_path)
    for value, pruned in ((0.3, False), (0.5, False), (0.9, True), (0.4, False), (0.5, False)):
        trial = study.next(SPACE, 9)
        assert trial is not None
        checkpoint = study.trial_folder(trial.number) / "checkpoints" / "best.ckpt"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.write_text("weights")
        end(study, trial, value, pruned)
    kept = [file.parents[1].name for file in tmp_path.glob("*/checkpoints/best.ckpt")]
    assert kept == ["trial-001"]
    assert study.best is not None
    assert (study.best.number, read_value(study.best)) == (1, 0.5)


def test_errors_are_minimized(tmp_path: Path) -> None:
    study = opened(tmp_path, low=True)
    for value in (0.9, 0.8, 1.1):
        trial = study.next(SPACE, 3)
        assert trial is not None
        end(study, trial, value)
    assert study.minimized
    assert study.best is not None
    assert study.best.number == 1


def test_the_same_draws_have_the_same_value(tmp_path: Path) -> None:
    space: Space = {"factors": Choices([8])}
    study = opened(tmp_path)
    first = study.next(space, 2)
    assert first is not None
    assert study.find_twin(first) is None
    end(study, first, 0.5)
    second = study.next(space, 2)
    assert second is not None
    twin = study.find_twin(second)
    assert twin is not None
    assert (twin.number, read_value(twin)) == (0, 0.5)


def test_studies_are_not_mixed(tmp_path: Path) -> None:
    opened(tmp_path).close()
    other = {**ABOUT, "search.lr": {"low": 1e-3}, "l2": 0.1}
    line = f"{tmp_path} is a study with another l2, search.lr: give another name=..., or none"
    with pytest.raises(UserError, match=re.escape(line)):
        opened(tmp_path, other)
    opened(tmp_path)

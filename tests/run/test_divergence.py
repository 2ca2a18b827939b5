"""What comes to no number ends, in one line, and what was good stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from src.errors import DivergedError
from src.models import EASE
from src.run import experiment
from src.training.checkpoint_files import read_epoch
from tests.conftest import Call
from tests.run.test_resuming import compose

DIVERGING = ("model=mf", "loss=squared", "optimizer=sgd", "optimizer.lr=1e6")


@pytest.mark.parametrize("compiled", ["true", "false"])
def test_a_loss_that_is_no_number_ends_training(tmp_path: Path, compiled: str) -> None:
    cfg = compose(tmp_path, *DIVERGING, f"compiled={compiled}")
    with pytest.raises(DivergedError) as raised:
        experiment.run(cfg, tmp_path / "run", {"output_folder": "run"})
    line = str(raised.value)
    assert "in epoch 1, by step" in line
    assert "a rate of 1e+06" in line
    assert "smaller optimizer.lr" in line
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_the_checkpoint_before_stays(tmp_path: Path) -> None:
    step = ("scheduler=step", "scheduler.step_size=2", "scheduler.gamma=1e12")
    words = ("model=mf", "loss=squared", "optimizer=sgd", "optimizer.lr=1e-4")
    cfg = compose(tmp_path, *words, *step)
    with pytest.raises(DivergedError, match="in epoch 3"):
        experiment.run(cfg, tmp_path, {"output_folder": "run"})
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert read_epoch(last) == 1
    weights = torch.load(last, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values())


def test_a_fit_that_comes_to_no_number_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = EASE.fit

    def fit_badly(self: EASE, train: object) -> None:
        fit(self, train)  # type: ignore[arg-type]
        next(iter(self.buffers())).view(-1)[0] = float("nan")

    monkeypatch.setattr(EASE, "fit", fit_badly)
    with pytest.raises(DivergedError, match="weights are no numbers any more; try more regular"):
        experiment.run(compose(tmp_path, "model=ease"), tmp_path, {"output_folder": "run"})


def test_the_command_ends_in_one_line_with_status_1(call: Call) -> None:
    done = call("data=synthetic", *DIVERGING, "tracking=none")
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line.startswith("error: the loss is ")
    assert len(line) <= 300


def test_a_sweep_counts_the_job_as_failed_and_goes_on(call: Call) -> None:
    done = call("-m", "data=synthetic", *DIVERGING, "optimizer.lr=1e6,1e-3", "trainer.max_epochs=1")
    assert done.status == 1
    assert "1 finished, 1 failed" in done.out or "1 failed, 1 finished" in done.out
    assert "1 of 2 jobs failed, the first with: the loss is" in done.err

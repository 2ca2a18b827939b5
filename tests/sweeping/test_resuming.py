"""Runs that were cut off go on as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl

from src.config.compose import compose as compose_train
from src.run import experiment
from src.run.checks import check_options
from src.run.options import Options
from tests.commands import SMALL_DATA
from tests.test_end_to_end import repeatable


class Cut(pl.Callback):
    """Ctrl-C, at a moment of its choice."""

    def __init__(self, moment: str, epoch: int) -> None:
        self.epoch = epoch
        setattr(self, moment, self._cut)

    def _cut(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch >= self.epoch:
            raise KeyboardInterrupt


def compose(home: Path, *words: str) -> Options:
    small = [*SMALL_DATA, "ks=[1,10]", "tracking=none", f"data.cache={home}/prepared"]
    return check_options(compose_train([*small, *words]))


def run(cfg: Options, folder: Path, cut: Cut | None = None) -> dict[str, float]:
    """The metrics of a run that is cut off once, if at all, and then goes on."""
    tags = {"output_folder": str(folder)}
    if cut:
        with pytest.raises(KeyboardInterrupt):
            experiment.run(cfg, folder, tags, callbacks=[cut])
        assert not (folder / "metrics.json").exists()
    experiment.run(cfg, folder, tags, resuming=True)
    return repeatable(folder)


@pytest.mark.parametrize(
    ("moment", "epoch"),
    [
        ("on_train_batch_start", 2),  # within the third epoch
        ("on_train_epoch_start", 2),
        ("on_test_start", 0),  # all epochs done, early stopping has had its say
    ],
)
def test_a_run_cut_off_ends_like_one_that_was_not(tmp_path: Path, moment: str, epoch: int) -> None:
    words = ("model=neumf", "optimizer.lr=0.05", "trainer.max_epochs=30", "trainer.patience=2")
    cfg = compose(tmp_path, *words)
    whole = run(cfg, tmp_path / "whole")
    assert 3 < whole["fit/epochs"] < 30
    cut = run(cfg, tmp_path / "cut", Cut(moment, epoch))
    assert cut == whole
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "cut")]
    timeless = [table.drop(columns=list(table.filter(regex="second"))) for table in histories]
    pd.testing.assert_frame_equal(*timeless)


def test_the_seconds_before_count(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "model=gmf", "trainer.max_epochs=4", "trainer.patience=null")
    run(cfg, tmp_path, Cut("on_train_epoch_start", 3))
    seconds = json.loads((tmp_path / "metrics.json").read_text())["fit/seconds"]
    history = pd.read_csv(tmp_path / "history.csv")
    assert seconds > history["train/seconds"].sum()


@pytest.mark.parametrize("words", [("model=ials",), ("model=gmf", "protocol.refit=true")])
def test_what_cannot_go_on_begins_anew(tmp_path: Path, words: tuple[str, ...]) -> None:
    cfg = compose(tmp_path, *words, "trainer.max_epochs=4", "trainer.patience=null")
    whole = run(cfg, tmp_path / "whole")
    assert run(cfg, tmp_path / "cut", Cut("on_train_epoch_start", 2)) == whole


def test_without_testing_test_is_not_looked_at(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "model=gmf", "trainer.max_epochs=1")
    tags = {"output_folder": str(tmp_path)}
    selected = experiment.run(cfg, tmp_path, tags, testing=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["val/ndcg@10"] == selected
    assert not [name for name in metrics if name.startswith("test/")]
    assert not (tmp_path / "ranks.parquet").exists()

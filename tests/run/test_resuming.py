"""Runs that were cut off go on as if nothing had happened."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from src.config.compose import compose as compose_train
from src.run import assembly, experiment
from src.run.checks import check_options
from src.run.lookup import LAST
from src.run.options import Options
from src.run.recording import RecordKeeping
from src.tracking import Tracker
from src.training.checkpoint_files import WITHIN, read_epoch
from tests.commands import SMALL_DATA
from tests.test_end_to_end import repeatable


class Cut(pl.Callback):
    """Ctrl-C, at a moment of its choice."""

    def __init__(self, moment: str, epoch: int, call: int = 0) -> None:
        self.epoch, self.call = epoch, call
        setattr(self, moment, self._cut)

    def _cut(self, trainer: pl.Trainer, *_: Any) -> None:
        calls = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        if trainer.current_epoch >= self.epoch and calls >= self.call:
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


class Told(Tracker):
    """Keeps what it is told that may be missing."""

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def log_missing(self, epochs: Sequence[Mapping[str, float]]) -> None:
        self.epochs = [epoch["epoch"] for epoch in epochs]


def test_epochs_are_recorded_of_a_run_cut_off_after_its_last_one(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "model=gmf", "trainer.max_epochs=2", "trainer.patience=null")
    run(cfg, tmp_path / "run")
    # where Lightning finds all epochs done, it trains nothing
    tracker, last = Told(), tmp_path / "run" / LAST
    made = assembly.assemble(cfg, tmp_path / "run", callbacks=[RecordKeeping(tracker)])
    made.trainer.fit(made.module, datamodule=made.data, ckpt_path=last)
    assert tracker.epochs == [0, 1]


def test_the_seconds_before_count(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "model=gmf", "trainer.max_epochs=4", "trainer.patience=null")
    run(cfg, tmp_path, Cut("on_train_epoch_start", 3))
    seconds = json.loads((tmp_path / "metrics.json").read_text())["fit/seconds"]
    history = pd.read_csv(tmp_path / "history.csv")
    assert seconds > history["train/seconds"].sum()


BY_USER = ("data.batch_size=8", "checkpoint_every=9steps")
MID_EPOCH = ("trainer.max_epochs=3", "trainer.patience=null", "data.batch_size=64")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("model=neumf", "checkpoint_every=7steps"), id="rows"),
        pytest.param(("model=gmf", "checkpoint_every=1steps", "loss=bpr"), id="every call"),
        pytest.param(("model=mlp", "model.dropout=0.3", "checkpoint_every=9steps"), id="dropout"),
        pytest.param(
            ("model=mlp", "model.dropout=0.3", "checkpoint_every=9steps", "compiled=false"),
            id="dropout by torch",
        ),
        pytest.param(("model=mf", "optimizer=sgd", "checkpoint_every=9steps"), id="sgd"),
        pytest.param(("model=lightgcn", "checkpoint_every=9steps"), id="by torch"),
        pytest.param(("model=gmf", "scheduler=cosine", "checkpoint_every=9steps"), id="schedule"),
        pytest.param(("model=mf", "loss=full-softmax", *BY_USER), id="by user"),
        pytest.param(("model=multvae", "model.hidden=8", *BY_USER), id="drawn codes"),
        pytest.param(("model=sasrec", "model.factors=8", *BY_USER), id="in order"),
        pytest.param(
            ("model=recvae", "model.hidden=8", "model.encoder_epochs=1", *BY_USER), id="in turn"
        ),
    ],
)
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_run_cut_off_within_an_epoch_goes_on_there(
    tmp_path: Path, words: tuple[str, ...], epoch: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole_cfg = compose(tmp_path, *MID_EPOCH, *words[:1], *words[1:], "checkpoint_every=null")
    cfg = compose(tmp_path, *MID_EPOCH, *words)
    whole = run(whole_cfg, tmp_path / "whole")
    taken: list[int] = []
    cut = Cut("on_train_batch_end", epoch, call=11)
    folder, tags = tmp_path / "cut", {"output_folder": "cut"}
    with pytest.raises(KeyboardInterrupt):
        experiment.run(cfg, folder, tags, callbacks=[cut])
    assert (folder / "checkpoints" / WITHIN).exists()
    counting = pl.Callback()
    counting.on_train_batch_start = lambda t, *_: taken.append(t.current_epoch)  # type: ignore[method-assign,assignment]
    experiment.run(cfg, folder, tags, callbacks=[counting], resuming=True)
    assert repeatable(folder) == whole
    assert weights(folder) == weights(tmp_path / "whole")
    assert not (folder / "checkpoints" / WITHIN).exists()
    # not from the epoch's beginning
    assert 0 < taken.count(epoch) < taken.count(2)


def weights(folder: Path) -> dict[str, list[float]]:
    """Weights, averages and steps of the last epoch."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    states = content["optimizer_states"][0]
    found = {name: value.tolist() for name, value in content["state_dict"].items()}
    for place, state in states["state"].items():
        found |= {f"{place}.{k}": v.tolist() for k, v in state.items() if v is not None}
    return found


@pytest.mark.parametrize("moment", ["on_train_epoch_start", "on_train_epoch_end"])
def test_sweeps_of_a_fit_go_on_after_the_last(tmp_path: Path, moment: str) -> None:
    cfg = compose(tmp_path, "model=ials", "trainer.max_epochs=4", "trainer.patience=null")
    whole = run(cfg, tmp_path / "whole")
    assert run(cfg, tmp_path / "cut", Cut(moment, 2)) == whole


def test_a_refit_goes_on_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg = compose(tmp_path, *MID_EPOCH, "model=gmf", "optimizer.lr=0.1", "protocol.refit=true")
    whole = run(cfg, tmp_path / "whole")
    assert whole["fit/best_epoch"] > 1
    folder, tags = tmp_path / "cut", {"output_folder": "cut"}
    with pytest.MonkeyPatch.context() as patch:
        # the fit goes through, and the fit again is cut off
        make = assembly.assemble_refit
        cut = Cut("on_train_epoch_start", 1)

        def assemble_refit(*given: Any, **more: Any) -> Any:
            made = make(*given, **more)
            made.trainer.callbacks.append(cut)  # type: ignore[attr-defined]
            return made

        patch.setattr(experiment, "assemble_refit", assemble_refit)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(cfg, folder, tags)
    assert (folder / "refit" / "checkpoints" / "last.ckpt").exists()
    capsys.readouterr()
    experiment.run(cfg, folder, tags, resuming=True)
    assert "epoch  1" not in capsys.readouterr().out  # neither of the fit nor of the second
    assert repeatable(folder) == whole
    assert not (folder / "refit").exists()
    assert not (folder / "selection.json").exists()


@pytest.mark.parametrize("damaged", [{"last"}, {"best"}, {"last", "best"}, {"unfinished"}])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, damaged: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*MID_EPOCH, "model=gmf", "optimizer.lr=0.5", "checkpoint_every=9steps")
    cfg = compose(tmp_path, *words)
    whole = run(cfg, tmp_path / "whole")
    folder, tags = tmp_path / "cut", {"output_folder": "cut"}
    with pytest.raises(KeyboardInterrupt):
        experiment.run(cfg, folder, tags, callbacks=[Cut("on_train_batch_end", 2, call=11)])
    epochs = [read_epoch(folder / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")]
    assert epochs == [0, 1]
    for name in damaged:
        file = folder / "checkpoints" / f"{name}.ckpt"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        # a new file, because last.ckpt may be another name of best.ckpt
        file.unlink()
        file.write_bytes(content)
    capsys.readouterr()
    experiment.run(cfg, folder, tags, resuming=True)
    said = capsys.readouterr().out
    assert set(re.findall(r"(\w+).ckpt is damaged", said)) == damaged
    assert repeatable(folder) == whole


def test_without_testing_test_is_not_looked_at(tmp_path: Path) -> None:
    cfg = compose(tmp_path, "model=gmf", "trainer.max_epochs=1")
    tags = {"output_folder": str(tmp_path)}
    selected = experiment.run(cfg, tmp_path, tags, testing=False)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["val/ndcg@10"] == selected
    assert not [name for name in metrics if name.startswith("test/")]
    assert not (tmp_path / "ranks.parquet").exists()

"""One run: train, choose the epoch, test, record."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from src.config.build import check
from src.data.datamodule import InteractionDataModule
from src.evaluation.per_user import write_per_user, write_ranks
from src.reporting.pictures.curves import draw_curves
from src.run.assembly import (
    Options,
    check_refit,
    initial_model,
    make_datamodule,
    make_module,
    seed_everything,
)
from src.run.lookup import BEST, LAST
from src.run.summary import print_results
from src.tracking import Tracker, open_tracker
from src.training.checkpoints import epoch_of
from src.training.judging import Judge
from src.training.module import RecommenderModule
from src.training.trainer import history_of, make_trainer


def run(
    cfg: DictConfig,
    folder: Path,
    tags: Mapping[str, str],
    *,
    callbacks: Sequence[pl.Callback] = (),
    testing: bool = True,
    resuming: bool = False,
) -> float:
    """Trains, selects, tests and records one model in `folder`; returns what selected the epoch.

    `callbacks` join the Trainer's own. Without `testing`, test is not looked at. `resuming` goes on
    with a run that was cut off in `folder`, if there is one, and with its record. Raises UserError
    for a mistake in any option.
    """
    options: Options = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(options, folder / "config.yaml")
    begun = {"output_folder": tags["output_folder"]} if resuming else None
    with open_tracker(options["tracking"], tags, continuing=begun) as tracker:
        tracker.log_params(options)
        try:
            metrics = _train_and_test(options, folder, tags, tracker, callbacks, testing, resuming)
        finally:
            # a search keeps its best checkpoint alone
            tracker.log_files(folder, leave_out=() if testing else ("checkpoints",))
    print_results(options, metrics, folder, tracker.location)
    return metrics[options["protocol"]["monitor"]]


def _train_and_test(
    options: Options,
    folder: Path,
    tags: Mapping[str, str],
    tracker: Tracker,
    callbacks: Sequence[pl.Callback],
    testing: bool,
    resuming: bool,
) -> dict[str, float]:
    seed_everything(options)
    monitor, refitting = options["protocol"]["monitor"], options["protocol"]["refit"]
    settings = check(make_trainer, options["trainer"], "trainer")
    trainer = make_trainer(folder, monitor, tracker.logger, callbacks, **settings)
    data = make_datamodule(options)
    if refitting:
        check_refit(options)
    tags = {**tags, "data_fingerprint": data.prepared.fingerprint}
    tracker.set_tags(tags)
    (folder / "provenance.json").write_text(json.dumps(tags, indent=2) + "\n")
    model = initial_model(options, data)
    module = make_module(options, model, data)
    continuing = _last_checkpoint(module, folder) if resuming and not refitting else None
    seconds = _fit(trainer, module, data, continuing)
    judged, fitted = _fitted(trainer, module, folder, options)
    metrics = judged | fitted | {"fit/seconds": seconds}
    if refitting:
        best_epoch = int(fitted["fit/best_epoch"])
        print(f"fitting again with validation as part of training: {best_epoch} epochs")
        trainer, module, data = _refit(options, folder, data, best_epoch)
        metrics["refit/seconds"] = _fit(trainer, module, data)
    if testing:
        metrics |= test(trainer, module, data, folder, checkpoint=folder / BEST)
    write_metrics(folder, metrics)
    log_final(tracker, metrics, by_epoch=judged)
    return metrics


def log_final(tracker: Tracker, metrics: Mapping[str, float], by_epoch: Container[str]) -> None:
    """Logs what a run came to.

    What has a curve by epoch already gets a name of its own, or that would get a point too many.
    """
    tracker.log_metrics({f"best/{k}" if k in by_epoch else k: v for k, v in metrics.items()})


def _fitted(
    trainer: pl.Trainer, module: Judge, folder: Path, options: Options
) -> tuple[dict[str, float], dict[str, float]]:
    """What the selected epoch was judged, and facts of the fit; keeps every epoch in `folder`.

    To be called before testing, which takes back the best checkpoint with all that it remembers.
    """
    epochs, selected = history_of(trainer).epochs, epoch_of(folder / BEST)
    best = next(epoch for epoch in epochs if epoch["epoch"] == selected)
    part = f"{module.judged_part}/"
    judged = {name: value for name, value in best.items() if name.startswith(part)}
    fitted: dict[str, float] = {
        "fit/epochs": len(epochs),
        "fit/best_epoch": selected + 1,
        "fit/parameters": sum(p.numel() for p in module.model.parameters()),
    }
    speed = "train/examples_per_second"
    if speed in best:
        fitted["fit/examples_per_second"] = sum(epoch[speed] for epoch in epochs) / len(epochs)
    pd.DataFrame(epochs).to_csv(folder / "history.csv", index=False)
    if len(epochs) > 1:
        title = f"{options['model']['name']} on {options['data']['name']}"
        draw_curves(folder / "curves.png", title, epochs, selected, module.judged_part)
    return judged, fitted


def _refit(
    options: Options, folder: Path, data: InteractionDataModule, epochs: int
) -> tuple[pl.Trainer, Judge, InteractionDataModule]:
    """What trains a fresh model on training and validation together, for so many epochs."""
    seed_everything(options)
    data = data.merged()
    settings = check(make_trainer, options["trainer"], "trainer") | {"max_epochs": epochs}
    trainer = make_trainer(folder, None, None, **settings)
    return trainer, make_module(options, initial_model(options, data), data), data


def _last_checkpoint(module: Judge, folder: Path) -> Path | None:
    """Where training was cut off in `folder`; None to begin anew.

    What is fitted to the whole training part begins anew: that is quick, and its random numbers
    don't follow from the epoch's number alone.
    """
    last = folder / LAST
    return last if isinstance(module, RecommenderModule) and last.exists() else None


def _fit(
    trainer: pl.Trainer, module: Judge, data: InteractionDataModule, continuing: Path | None = None
) -> float:
    """Trains, from the checkpoint `continuing` on; returns the seconds it took altogether."""
    started = time.perf_counter()
    with _ctrl_c():
        trainer.fit(module, datamodule=data, ckpt_path=continuing)
    return time.perf_counter() - started + history_of(trainer).seconds_before


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Lets Ctrl-C come out of Lightning, which turns it into status 1 and ignores it afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        signal.signal(signal.SIGINT, handler)
        if end.code == 1:
            raise KeyboardInterrupt from end
        raise


def test(
    trainer: pl.Trainer,
    module: Judge,
    data: InteractionDataModule,
    folder: Path,
    checkpoint: Path | None,
) -> dict[str, float]:
    """Scores test once, with the weights of `checkpoint` or the module's own; keeps every rank."""
    with _ctrl_c():
        trainer.test(module, datamodule=data, ckpt_path=checkpoint, verbose=False)
    part = data.prepared.part("test")
    users: Tensor = torch.empty(0)
    metrics: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for place, ranking in enumerate(module.rankings):
        prefix = "full/" if place else ""
        users, values = ranking.per_user(module.ks)
        metrics |= {f"{prefix}{name}": value for name, value in values.items()}
        # in the order of the part's rows
        rows = torch.from_numpy(ranking.targets.rows)
        found[f"{prefix}rank"] = torch.empty_like(ranking.ranks.cpu())
        found[f"{prefix}rank"][rows] = ranking.ranks.cpu()
    write_per_user(folder / "per_user.parquet", part.user_ids, users, metrics)
    items = torch.from_numpy(np.array(part.items))
    write_ranks(
        folder / "ranks.parquet", part, torch.from_numpy(np.array(part.users)), items, found
    )
    return module.tested


def write_metrics(folder: Path, metrics: dict[str, float]) -> None:
    """Writes metrics.json, whole or not at all: it tells that the run is finished."""
    unfinished = folder / ".metrics.json"
    unfinished.write_text(json.dumps(metrics, indent=2) + "\n")
    unfinished.replace(folder / "metrics.json")

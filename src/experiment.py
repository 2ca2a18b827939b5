"""One run from its options to its results: the parts put together, nothing computed here."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pytorch_lightning as pl
from annotated_types import Ge, Lt
from omegaconf import DictConfig, OmegaConf

from src.build import build, build_partial, check
from src.data.datamodule import InteractionDataModule
from src.errors import UserError
from src.evaluation.per_user import write_per_user
from src.models import GMF, MLP, NeuMF, Recommender
from src.results import print_results
from src.runs import BEST, find_checkpoint
from src.tracking import Tracker, open_tracker
from src.training.checkpoints import load_model, make_model
from src.training.curves import draw_curves
from src.training.module import RecommenderModule
from src.training.trainer import history_of, make_trainer

Options = dict[str, Any]


def run(cfg: DictConfig, folder: Path, tags: Options) -> float:
    """Trains, selects, tests and records one model in `folder`; returns what selected the epoch.

    Raises UserError for a mistake in any option.
    """
    options: Options = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(options, folder / "config.yaml")
    with open_tracker(options["tracking"], tags) as tracker:
        tracker.log_params(options)
        try:
            metrics = _train_and_test(options, folder, tracker)
        finally:
            tracker.log_files(folder)
    print_results(options, metrics, folder, tracker.location)
    return metrics[options["protocol"]["monitor"]]


def _train_and_test(options: Options, folder: Path, tracker: Tracker) -> dict[str, float]:
    seed_everything(**check(seed_everything, {"seed": options["seed"]}, ""))
    data = make_datamodule(options)
    tracker.set_tags({"data_fingerprint": data.prepared.fingerprint})
    model = _initial_model(options, data)
    module = make_module(options, model, data)
    trainer = make_trainer(
        folder, module.monitor, tracker.logger, **check(make_trainer, options["trainer"], "trainer")
    )
    started = time.perf_counter()
    with _ctrl_c():
        trainer.fit(module, datamodule=data)
    seconds = time.perf_counter() - started
    # before testing, which takes the best epoch's checkpoint back with all that it remembers
    epochs = history_of(trainer).epochs
    tested = test(trainer, module, data, folder, checkpoint=folder / BEST)

    best = max(epochs, key=lambda epoch: epoch[module.monitor])
    pd.DataFrame(epochs).to_csv(folder / "history.csv", index=False)
    title = f"{options['model']['name']} on {options['data']['name']}"
    draw_curves(folder / "curves.png", title, epochs, int(best["epoch"]), module.judged_part)
    judged = {name: best[name] for name in best if name.startswith(f"{module.judged_part}/")}
    speeds = [epoch["train/examples_per_second"] for epoch in epochs]
    metrics = {
        **judged,
        **tested,
        "fit/epochs": len(epochs),
        "fit/best_epoch": int(best["epoch"]) + 1,
        "fit/seconds": seconds,
        "fit/examples_per_second": sum(speeds) / len(speeds),
        "fit/parameters": sum(p.numel() for p in model.parameters()),
    }
    write_metrics(folder, metrics)
    # a name of its own where there is a curve by epoch already, which would get a point too many
    tracker.log_metrics({f"best/{k}" if k in judged else k: v for k, v in metrics.items()})
    return metrics


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
    module: RecommenderModule,
    data: InteractionDataModule,
    folder: Path,
    checkpoint: Path | None,
) -> dict[str, float]:
    """Scores test once, with the weights of `checkpoint` or the module's own; keeps every rank."""
    with _ctrl_c():
        trainer.test(module, datamodule=data, ckpt_path=checkpoint, verbose=False)
    targets = data.targets("test")
    write_per_user(
        folder / "per_user.parquet",
        data.prepared.part("test"),
        targets.users,
        targets.targets,
        module.test_ranks,
        module.ks,
    )
    return module.tested


def write_metrics(folder: Path, metrics: dict[str, float]) -> None:
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def seed_everything(seed: Annotated[int, Ge(0), Lt(2**32)]) -> None:
    """Fixes initialization; sampling and dropout follow from the seed by themselves."""
    pl.seed_everything(seed, verbose=False)


def make_datamodule(options: Options) -> InteractionDataModule:
    """The data module that the `data` options describe."""
    # root and path are for the source, which has taken them by interpolation
    own = {k: v for k, v in options["data"].items() if k not in ("source", "root", "path")}
    source = build(options["data"]["source"], "data.source")
    checked = check(InteractionDataModule, own, "data")
    return InteractionDataModule(source=source, seed=options["seed"], **checked)


def make_module(
    options: Options, model: Recommender, data: InteractionDataModule
) -> RecommenderModule:
    """The module that trains `model` as the options say."""
    scheduler = options["scheduler"]
    own = check(RecommenderModule, {key: options[key] for key in ("l2", "gradient_clip", "ks")}, "")
    own["ks"] = _cutoffs(own["ks"], data)
    return RecommenderModule(
        model,
        build_partial(options["loss"], "loss"),
        build_partial(options["optimizer"], "optimizer"),
        build_partial(scheduler, "scheduler") if scheduler["_target_"] else None,
        **own,
        monitor=_monitor(options["protocol"], own["ks"]),
        seed=options["seed"],
        rebuild={
            "model": options["model"],
            "n_users": data.prepared.n_users,
            "n_items": data.prepared.n_items,
        },
    )


def _monitor(protocol: Options, ks: list[int]) -> str:
    part = "val" if protocol["validation"] else "test"
    known = [f"{part}/{metric}@{k}" for metric in ("hr", "ndcg", "mrr") for k in ks]
    if protocol["monitor"] not in known:
        raise UserError(f"protocol.monitor={protocol['monitor']} is none of {', '.join(known)}")
    return protocol["monitor"]


def _cutoffs(ks: list[int], data: InteractionDataModule) -> list[int]:
    """The cutoffs asked for and 10, by which epochs are chosen and runs compared."""
    prepared = data.prepared
    candidates = prepared.candidates
    n_ranked = prepared.n_items if candidates is None else 1 + candidates["test"].shape[1]
    if max(*ks, 10) >= n_ranked:
        raise UserError(
            f"ks={ks}: with {n_ranked} items to rank every target is among the first "
            f"{max(*ks, 10)}; use smaller cutoffs or more data.candidates (10 is always reported)"
        )
    return sorted({*ks, 10})


def _initial_model(options: Options, data: InteractionDataModule) -> Recommender:
    """A fresh model, or one fused from two trained ones."""
    n_users, n_items = data.prepared.n_users, data.prepared.n_items
    model = make_model(options["model"], n_users, n_items)
    pretrained = {k: v for k, v in options["model"].get("pretrained", {}).items() if v is not None}
    if not pretrained:
        return model
    if set(pretrained) != {"gmf", "mlp"}:
        raise UserError("model.pretrained needs both gmf and mlp")
    assert isinstance(model, NeuMF)
    files = {name: find_checkpoint(pretrained[name], options["tracking"]) for name in pretrained}
    gmf, mlp = (load_model(files[name], n_users, n_items) for name in ("gmf", "mlp"))
    if not isinstance(gmf, GMF) or not isinstance(mlp, MLP):
        raise UserError(
            f"model.pretrained wants a gmf and an mlp, but {files['gmf']} holds a "
            f"{type(gmf).__name__} and {files['mlp']} a {type(mlp).__name__}"
        )
    model.fuse(gmf, mlp, **check(NeuMF.fuse, {"alpha": options["model"]["alpha"]}, "model"))
    return model

"""Make a run's parts from its options: the only place where trainer, module and data meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from src.config.build import check
from src.data.datamodule import InteractionDataModule
from src.models import Fitted, Recommender
from src.run.lookup import find_checkpoint, find_run
from src.run.loss import build_loss, learns_ratings
from src.run.options import Options
from src.run.provenance import check_part
from src.training.checkpoint_files import WITHIN
from src.training.checkpoints import load_model, make_model, split_model_options
from src.training.fitting import FittedModule
from src.training.judging import Judge
from src.training.module import RecommenderModule
from src.training.strategy import Processes
from src.training.trainer import checkpoints_in, make_trainer
from src.training.within_epoch import SaveWithinEpoch


class Run(NamedTuple):
    """The parts of a run, ready for `trainer.fit(module, datamodule=data)`."""

    trainer: pl.Trainer
    module: Judge
    data: InteractionDataModule


def assemble(
    options: Options,
    folder: Path,
    *,
    logger: Logger | None = None,
    callbacks: Sequence[pl.Callback] = (),
    weights: Path | None = None,
    processes: Processes | None = None,
) -> Run:
    """Make the parts of a run that keeps its checkpoints in `folder`; prepares the data.

    `callbacks` join the Trainer's own. `weights`: the checkpoint of a trained model, to be judged
    instead of a fresh one. `processes`: those that share the work. Raises UserError for what only
    the data show to be mistaken.
    """
    pl.seed_everything(options.seed, verbose=False)
    trainer = make_trainer(
        folder,
        options.trainer,
        monitor=options.protocol.monitor,
        logger=logger,
        callbacks=[*_save_within_epochs(options, folder), *callbacks],
        processes=processes,
    )
    data = make_data(options)
    return Run(trainer, _make_module(options, data, weights), data)


def assemble_refit(
    options: Options,
    folder: Path,
    data: InteractionDataModule,
    epochs: int,
    *,
    processes: Processes | None = None,
) -> Run:
    """Make what trains a fresh model on training and validation together, for so many epochs."""
    pl.seed_everything(options.seed, verbose=False)
    merged = data.merged()
    saving = _save_within_epochs(options, folder)
    trainer = make_trainer(
        folder,
        options.for_refit(epochs).trainer,
        monitor=None,
        callbacks=saving,
        processes=processes,
    )
    return Run(trainer, _make_module(options, merged, refit=True), merged)


def _save_within_epochs(options: Options, folder: Path) -> list[pl.Callback]:
    every = options.checkpoint_every
    return [] if every is None else [SaveWithinEpoch(checkpoints_in(folder) / WITHIN, every)]


def make_data(options: Options) -> InteractionDataModule:
    """Make the data module that the options describe; nothing is read yet."""
    return InteractionDataModule(
        options.data.source.build(),
        options.data.options,
        name=options.data.name,
        cache=options.data.cache,
        seed=options.seed,
        full_ranking=options.protocol.full_ranking,
    )


def _make_module(
    options: Options,
    data: InteractionDataModule,
    weights: Path | None = None,
    *,
    refit: bool = False,
) -> Judge:
    """Make the module with its model: of the checkpoint `weights`, fused, or fresh.

    `refit`: validation is part of training, for the models that it starts from, too.
    """
    n_users, n_items = data.n_users, data.n_items
    if weights is not None:
        model = load_model(weights, n_users, n_items, trusted=options.trusted)
    else:
        model = make_model(options.model.component, n_users, n_items)
        if options.model.pretrained:
            _start(options, model, data.prepared.fingerprint, refit=refit)
    module = _wrap(options, model)
    module.prepare(data, training=weights is None)
    return module


def _wrap(options: Options, model: Recommender) -> Judge:
    """Make the LightningModule of a model: one that fits, or one that trains by gradients."""
    judging: dict[str, Any] = {
        "ks": options.ks,
        "monitor": options.protocol.monitor,
        "metrics": options.metrics,
    }
    if isinstance(model, Fitted):
        return FittedModule(model, rated=learns_ratings(options), **judging)
    return RecommenderModule(
        model,
        build_loss(options.loss, model.n_items),
        options.optimizer.bind(),
        options.scheduler.bind() if options.scheduler else None,
        l2=options.l2,
        gradient_clip=options.gradient_clip,
        compiled=options.compiled,
        seed=options.seed,
        **judging,
    )


def _start(options: Options, model: Recommender, fingerprint: str, *, refit: bool) -> None:
    """Let the model start from the trained ones that `model.pretrained` names.

    fingerprint: of its data. One that chooses on validation does so with its parts as they were
    before they were trained again with that, and is `refit` with those that were. Raises UserError
    where a part has seen validation, or was trained on other data.
    """
    references = options.model.pretrained
    if model.chooses:
        for run in references.values():
            check_part(find_run(run, options.tracking), fingerprint, again=refit)
    before = model.chooses and not refit
    files = {
        part: find_checkpoint(run, options.tracking, before_refit=before)
        for part, run in references.items()
    }
    parts = {
        part: load_model(file, model.n_users, model.n_items, trusted=options.trusted)
        for part, file in files.items()
    }
    _, starting = split_model_options(options.model.component)
    model.start_from(parts, **check(type(model).start_from, starting, "model"))

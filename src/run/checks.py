"""Find every mistake of a configuration that can be found without its data."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.config.build import Component, check
from src.config.compose import Plain, plain
from src.errors import UserError
from src.evaluation.catalogue import check_cutoffs, check_monitor
from src.models import Fitted, Recommender
from src.run.energy import check_energy
from src.run.lookup import find_checkpoint
from src.run.loss import build_loss, learns_ratings
from src.run.options import Options, read_options
from src.training.checkpoints import make_model, split_model_options
from src.training.losses import check_by_user, is_user_loss
from src.training.sparse_gradients import check_sparse

# Models are tried out at a size that any has room for
TRIAL_SIZE = 64


def check_options(composed: DictConfig | Plain) -> Options:
    """Return the options of a run, typed, with all that they name found to go together.

    Nothing is opened, downloaded or prepared. Raises UserError for the first mistake.
    """
    options = read_options(plain(composed) if isinstance(composed, DictConfig) else composed)
    _check_data(options)
    model = _try_model(options)
    _check_judging(options)
    _check_trainer(options)
    check_energy(options.tracking)
    if isinstance(model, Fitted):
        _refuse_gradient_options(options, model)
    else:
        _try_training(options, model)
    if options.protocol.refit:
        _check_refit(options)
    _check_pretrained(options, model)
    return options


def _check_data(options: Options) -> None:
    data = options.data
    data.source.build()  # reads nothing yet
    # a source of the user's own may read from elsewhere
    local = data.path is not None and "://" not in data.path
    if local and not Path(str(data.path)).expanduser().exists():
        raise UserError(f"data.path={data.path}: no such file")


def _try_model(options: Options) -> Recommender:
    """Make the model at a small size: some options are checked in its own code alone."""
    chosen = options.model.component
    _, starting = split_model_options(chosen)
    check(chosen.callable.start_from, starting, "model")  # type: ignore[attr-defined]
    with torch.random.fork_rng(devices=[]):
        return make_model(chosen, TRIAL_SIZE, TRIAL_SIZE)


def _check_judging(options: Options) -> None:
    protocol, rated = options.protocol, learns_ratings(options)
    if options.data.options.validation and not protocol.validation:
        raise UserError(
            f"data.validation: protocol={protocol.name} has no validation part; leave it out, or "
            "take another protocol"
        )
    judging = [metric for metric in options.metrics if rated or metric.basis != "ratings"]
    part = "val" if protocol.validation else "test"
    check_monitor(protocol.monitor, part, judging, options.ks)
    candidates = options.data.options.candidates
    if isinstance(candidates, int):
        check_cutoffs(options.ks, 1 + candidates)


def _check_trainer(options: Options) -> None:
    """Make callbacks of the user's own, and check what is passed on to Lightning, if anything is.

    Devices are checked when the trainer is made.
    """
    trainer = options.trainer
    if trainer.callbacks or trainer.more:
        # Lightning takes long to import
        from src.training.trainer import build_callbacks, check_more

        build_callbacks(trainer)
        check_more(trainer.more)


def _try_training(options: Options, model: Recommender) -> None:
    """Make loss, optimizer and schedule, for what only their own code finds."""
    for chosen in (options.loss, options.optimizer):
        if not chosen:
            raise UserError(f"{chosen.group}=none: {options.model.name} is trained by gradients")
    loss = build_loss(options.loss, model.n_items)
    check_by_user(model, loss)
    by_user = is_user_loss(loss) or model.sequential
    if by_user and options.trainer.devices * options.trainer.nodes > 1:
        what = options.model.name if model.sequential else f"{options.loss.group}=full-softmax"
        raise UserError(
            f"{what} is trained by one process: leave out trainer=ddp, or say trainer.devices=1"
        )
    make_optimizer, scheduler = options.optimizer.bind(), options.scheduler
    make_scheduler = scheduler.bind() if scheduler else None
    try:
        optimizer = make_optimizer([nn.Parameter(torch.zeros(1))])
        _check_kind(options.optimizer, optimizer, Optimizer)
        if make_scheduler is not None:
            _check_kind(scheduler, make_scheduler(optimizer), LRScheduler)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UserError(f"optimizer or scheduler: {error}") from error
    check_sparse(model, optimizer)


def _check_kind(chosen: Component, made: object, kind: type) -> None:
    if not isinstance(made, kind):
        raise UserError(f"{chosen.group}._target_={chosen.target} is no {kind.__name__} of torch's")


def _refuse_gradient_options(options: Options, model: Fitted) -> None:
    """Refuse options that only training by gradients uses."""
    if options.trainer.devices * options.trainer.nodes > 1:
        raise UserError(
            f"{options.model.name} is fitted by one process: leave out trainer=ddp, or say "
            "trainer.devices=1"
        )
    chosen = [part.group for part in (options.optimizer, options.scheduler) if part]
    if options.loss and not (model.rates and learns_ratings(options)):
        chosen.append("loss")
    given = {"l2": options.l2, "gradient_clip": options.gradient_clip}
    chosen += [name for name, value in given.items() if value]
    if chosen:
        raise UserError(
            f"{options.model.name} is fitted without gradients and makes no use of "
            f"{', '.join(chosen)}: leave that out"
        )


def _check_refit(options: Options) -> None:
    """Refuse what can't be trained again with validation as part of it."""
    if not options.protocol.validation:
        raise UserError("protocol.refit=true: this protocol has no validation part to train on")
    if options.scheduler.is_a(ReduceLROnPlateau):
        raise UserError(
            "protocol.refit=true can't repeat scheduler=plateau, which needs validation"
        )


def _check_pretrained(options: Options, model: Recommender) -> None:
    given = options.model.pretrained
    if given and not (model.parts or model.free_parts):
        raise UserError(
            f"{options.model.name} can't start from trained models: leave out model.pretrained"
        )
    if model.chooses and not options.protocol.validation:
        raise UserError(
            f"{options.model.name} chooses on validation, which protocol={options.protocol.name} "
            "has not"
        )
    if given and model.parts and set(given) != set(model.parts):
        both = "both " * (len(model.parts) == 2)
        raise UserError(f"model.pretrained needs {both}{' and '.join(model.parts)}")
    for reference in given.values():
        file = find_checkpoint(reference, options.tracking)
        if not file.is_file():
            raise UserError(f"no checkpoint at {file}")

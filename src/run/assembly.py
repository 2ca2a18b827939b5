"""From a run's options to its parts: data, model, training module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pytorch_lightning as pl
from annotated_types import Ge, Lt

from src.config.build import build, build_partial, check, locate
from src.data.datamodule import InteractionDataModule
from src.errors import UserError
from src.evaluation.ranking import AT_CUTOFFS, Scale
from src.models import GMF, MF, MLP, Fitted, NeuMF, Recommender
from src.models.mf import as_gmf
from src.run.lookup import find_checkpoint
from src.training.checkpoints import load_model, make_model
from src.training.fitting import FittedModule
from src.training.judging import Judge
from src.training.losses import WARP, RatingLoss
from src.training.module import RecommenderModule

Options = dict[str, Any]
"""A whole configuration, resolved, as plain containers."""


def seed_everything(options: Options) -> None:
    """Fixes initialization; sampling and dropout follow from the seed by themselves."""

    def seeded(seed: Annotated[int, Ge(0), Lt(2**32)]) -> None:
        pl.seed_everything(seed, verbose=False)

    seeded(**check(seeded, {"seed": options["seed"]}, ""))


def make_datamodule(options: Options) -> InteractionDataModule:
    """The data module that the `data` options describe, feeding what the model learns from."""
    # root and path are for the source, which has taken them by interpolation
    own = {k: v for k, v in options["data"].items() if k not in ("source", "root", "path")}
    source = build(options["data"]["source"], "data.source")
    checked = check(InteractionDataModule, own, "data")
    return InteractionDataModule(
        source=source,
        seed=options["seed"],
        rated=_is(RatingLoss, options["loss"]),
        whole=_is(Fitted, options["model"]),
        full_ranking=options["protocol"].get("full_ranking", False),  # not in older runs
        **checked,
    )


def _is(kind: type, node: Mapping[str, Any]) -> bool:
    """Whether the node's `_target_` is of that kind."""
    if node["_target_"] is None:
        return False
    target = locate(node["_target_"])
    return isinstance(target, type) and issubclass(target, kind)


def make_module(options: Options, model: Recommender, data: InteractionDataModule) -> Judge:
    """The module that trains `model` as the options say."""
    ks = _cutoffs(check(Judge, {"ks": options["ks"]}, "")["ks"], data)
    ratings = data.train.ratings
    judging: dict[str, Any] = {
        "ks": ks,
        "monitor": _monitor(options["protocol"], ks, rated=data.rated),
        "scale": None if ratings is None else Scale(float(ratings.min()), float(ratings.max())),
        "rebuild": {
            "model": options["model"],
            "n_users": data.prepared.n_users,
            "n_items": data.prepared.n_items,
        },
    }
    if isinstance(model, Fitted):
        _refuse_gradient_options(options, model)
        return FittedModule(model, **judging)
    for group in ("loss", "optimizer"):
        if not options[group]["_target_"]:
            raise UserError(f"{group}=none: {options['model']['name']} is trained by gradients")
    scheduler = options["scheduler"]
    own = check(RecommenderModule, {key: options[key] for key in ("l2", "gradient_clip")}, "")
    # some losses depend on how many items there are
    knowing = {"n_items": model.n_items} if _is(WARP, options["loss"]) else {}
    return RecommenderModule(
        model,
        build(options["loss"], "loss", **knowing),
        build_partial(options["optimizer"], "optimizer"),
        build_partial(scheduler, "scheduler") if scheduler["_target_"] else None,
        seed=options["seed"],
        **own,
        **judging,
    )


def check_refit(options: Options) -> None:
    """Raises UserError when training can't be repeated with validation as part of it."""
    if not options["protocol"]["validation"]:
        raise UserError("protocol.refit=true: this protocol has no validation part to train on")
    if "Plateau" in (options["scheduler"]["_target_"] or ""):
        raise UserError(
            "protocol.refit=true can't repeat scheduler=plateau, which needs validation"
        )


def _refuse_gradient_options(options: Options, model: Fitted) -> None:
    """What only training by gradients would use must not be chosen in vain."""
    name = options["model"]["name"]
    chosen = [group for group in ("optimizer", "scheduler") if options[group]["_target_"]]
    if options["loss"]["_target_"] and not (model.rates and _is(RatingLoss, options["loss"])):
        chosen.append("loss")
    chosen += [key for key in ("l2", "gradient_clip") if options[key]]
    if chosen:
        raise UserError(
            f"{name} is fitted without gradients and makes no use of {', '.join(chosen)}: "
            "leave that out"
        )


def _monitor(protocol: Options, ks: list[int], rated: bool) -> str:
    part = "val" if protocol["validation"] else "test"
    known = [f"{part}/{metric}@{k}" for metric in AT_CUTOFFS for k in ks]
    known += [f"{part}/auc", *([f"{part}/rmse", f"{part}/mae"] if rated else [])]
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


def initial_model(options: Options, data: InteractionDataModule) -> Recommender:
    """A fresh model, or one fused from two trained ones."""
    n_users, n_items = data.prepared.n_users, data.prepared.n_items
    model = make_model(options["model"], n_users, n_items)
    model.observe(data.train)
    pretrained = {k: v for k, v in options["model"].get("pretrained", {}).items() if v is not None}
    if not pretrained:
        return model
    if set(pretrained) != {"gmf", "mlp"}:
        raise UserError("model.pretrained needs both gmf and mlp")
    assert isinstance(model, NeuMF)
    files = {name: find_checkpoint(pretrained[name], options["tracking"]) for name in pretrained}
    gmf, mlp = (load_model(files[name], n_users, n_items) for name in ("gmf", "mlp"))
    if isinstance(gmf, MF):
        gmf = as_gmf(gmf)
    if not isinstance(gmf, GMF) or not isinstance(mlp, MLP):
        raise UserError(
            f"model.pretrained wants a gmf and an mlp, but {files['gmf']} holds a "
            f"{type(gmf).__name__} and {files['mlp']} a {type(mlp).__name__}"
        )
    model.fuse(gmf, mlp, **check(NeuMF.fuse, {"alpha": options["model"]["alpha"]}, "model"))
    return model

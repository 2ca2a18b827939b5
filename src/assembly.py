"""From a run's options to its parts: data, model, training module."""

from __future__ import annotations

from typing import Annotated, Any

import pytorch_lightning as pl
from annotated_types import Ge, Lt

from src.build import build, build_partial, check
from src.data.datamodule import InteractionDataModule
from src.errors import UserError
from src.models import GMF, MLP, NeuMF, Recommender
from src.runs import find_checkpoint
from src.training.checkpoints import load_model, make_model
from src.training.module import RecommenderModule

Options = dict[str, Any]
"""A whole configuration, resolved, as plain containers."""


def seed_everything(options: Options) -> None:
    """Fixes initialization; sampling and dropout follow from the seed by themselves."""

    def seeded(seed: Annotated[int, Ge(0), Lt(2**32)]) -> None:
        pl.seed_everything(seed, verbose=False)

    seeded(**check(seeded, {"seed": options["seed"]}, ""))


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
        build(options["loss"], "loss"),
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


def initial_model(options: Options, data: InteractionDataModule) -> Recommender:
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

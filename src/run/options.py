"""The typed options of a run, read once at the door from a composed configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from src.config.build import Component, check, read
from src.config.compose import Plain
from src.config.names import check_name
from src.config.trust import trusted_modules
from src.data.data_options import DataOptions
from src.errors import UserError, shorten
from src.evaluation.catalogue import Metric, choose_metrics
from src.training.checkpoint_interval import Every, read_every
from src.training.trainer_options import TrainerOptions

# What every run has options of; a node below another one comes after it
GROUPS = (
    "data",
    "data.source",
    "model",
    "loss",
    "optimizer",
    "scheduler",
    "trainer",
    "protocol",
    "tracking",
)

# Entries of a model's configuration that are no options of it
ASIDE = ("name", "pretrained", "parts")
# Options of data that name files: of data=parts, and of ncf-ml-1m
PARTS = ("train", "test", "candidates_file", "times")


@dataclass(frozen=True)
class Data:
    """Where interactions come from, and what is made of them."""

    name: str
    source: Component
    cache: Path
    path: str | None
    """A file or folder of the user's own, which the source reads."""
    options: DataOptions


@dataclass(frozen=True)
class Model:
    """Which model it is, and what it starts from."""

    name: str
    component: Component
    """Its class, with options for making it and for `Recommender.start_from`."""
    pretrained: Mapping[str, str]
    """References of trained runs, by what they are to the model: {"gmf": RUN, "mlp": RUN}."""


@dataclass(frozen=True)
class ProtocolOptions:
    """How epochs are chosen and what test is ranked among; explained in conf/protocol."""

    name: str
    validation: bool
    monitor: str
    """The metric that chooses the epoch: "val/ndcg@10"."""
    refit: bool = False
    full_ranking: bool = False


@dataclass(frozen=True)
class Options:
    """Everything a run chooses, its values checked one by one."""

    plain: Plain = field(repr=False)
    """The configuration as it was composed, for records and keys."""
    seed: int
    data: Data
    model: Model
    loss: Component
    optimizer: Component
    scheduler: Component
    trainer: TrainerOptions
    protocol: ProtocolOptions
    tracking: Mapping[str, Any]
    """What src.tracking opens; `name` says which."""
    ks: list[int]
    """Cutoffs, ascending, 10 always among them: epochs are chosen and runs compared by it."""
    metrics: tuple[Metric, ...]
    """The catalogue's, and those of the user's own."""
    l2: float
    gradient_clip: float | None
    trusted: tuple[str, ...]
    """Modules of the user's own, which files may name too."""
    compiled: bool
    """Whether steps are taken by compiled code where it serves."""
    checkpoint_every: Every | None
    """How often a checkpoint is written within an epoch."""

    @property
    def title(self) -> str:
        """What the run is, for people: "neumf on ml-1m"."""
        return f"{self.model.name} on {self.data.name}"

    def for_refit(self, epochs: int) -> Options:
        """Return the same for training again, exactly so many epochs."""
        return replace(self, trainer=replace(self.trainer, max_epochs=epochs))


def read_options(plain: Plain) -> Options:
    """Read a composed configuration: every name, type and range, group by group.

    Raises UserError that names the first option that is mistaken.
    """
    check_groups(plain)
    whole = _check_whole(plain)
    protocol = read(ProtocolOptions, plain["protocol"], "protocol")
    return Options(
        plain=plain,
        seed=whole["seed"],
        data=_read_data(plain["data"]),
        model=_read_model(plain["model"]),
        loss=Component.read(plain["loss"], "loss"),
        optimizer=Component.read(plain["optimizer"], "optimizer"),
        scheduler=Component.read(plain["scheduler"], "scheduler"),
        trainer=read(TrainerOptions, plain["trainer"], "trainer"),
        protocol=protocol,
        tracking=plain["tracking"],
        ks=sorted({*_as_list(whole["ks"]), 10}),
        metrics=choose_metrics(whole["metrics"]),
        l2=whole["l2"],
        gradient_clip=whole["gradient_clip"],
        trusted=trusted_modules(plain),
        compiled=whole["compiled"],
        checkpoint_every=read_every(plain.get("checkpoint_every")),
    )


def _as_list(value: int | list[int]) -> list[int]:
    """Return ks=10 as ks=[10]."""
    return [value] if isinstance(value, int) else value


def check_groups(plain: Plain) -> None:
    """Raise UserError unless every group of options is there."""
    for group in GROUPS:
        node = plain
        for name in group.split("."):
            node = node.get(name)  # type: ignore[assignment]
            if not isinstance(node, Mapping):
                raise UserError(f"{group}={shorten(node)}: a choice, or options, are needed here")


def _check_whole(plain: Plain) -> dict[str, Any]:
    """Return the options that belong to no group, checked; older runs lack some of them."""

    def whole(
        seed: Annotated[int, Ge(0), Lt(2**32)],
        ks: list[Annotated[int, Ge(1)]] | Annotated[int, Ge(1)],
        metrics: list[str],
        l2: Annotated[float, Ge(0)],
        gradient_clip: Annotated[float, Gt(0)] | None,
        compiled: bool,
        check: bool,
    ) -> None: ...

    needed = ("seed", "ks", "l2", "gradient_clip")
    for name in needed:
        if name not in plain:
            raise UserError(f"{name} has to be given")
    own = {key: plain[key] for key in needed}
    later = {"metrics": [], "compiled": True, "check": False}
    return check(whole, {**own, **{key: plain.get(key, later[key]) for key in later}}, "")


def _read_data(node: Mapping[str, Any]) -> Data:
    # files are for the source, which has taken them by interpolation
    apart = ("name", "source", "cache", "root", "path", *PARTS)
    places = {"cache": str, "path": str | None}
    for name, kind in places.items():
        if not isinstance(node.get(name), kind):
            raise UserError(f"data.{name}={shorten(node.get(name))}: the name of a file is needed")
    own = {key: value for key, value in node.items() if key not in apart}
    if "train" in node and isinstance(own.get("validation"), str):
        own["validation"] = True  # a file
    return Data(
        name=_read_name(node, "data"),
        source=Component.read(node["source"], "data.source"),
        cache=Path(node["cache"]),
        path=node.get("path"),
        options=read(DataOptions, own, "data"),
    )


def _read_model(node: Mapping[str, Any]) -> Model:
    given = node.get("pretrained") or {}
    if not isinstance(given, Mapping):
        raise UserError(
            f"model.pretrained={shorten(given)}: runs by part, as model.pretrained.gmf=RUN"
        )
    pretrained = {part: str(run) for part, run in given.items() if run is not None}
    parts = node.get("parts") or []
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        parts = [parts]
    pretrained |= {str(number): str(run) for number, run in enumerate(parts, 1)}
    own = {key: value for key, value in node.items() if key not in ASIDE}
    return Model(_read_name(node, "model"), Component.read(own, "model"), pretrained)


def _read_name(node: Mapping[str, Any], group: str) -> str:
    """Return what the choice is called in tables and folders."""
    if "name" not in node:
        raise UserError(f"{group}.name has to be given, in the file of conf/{group} too")
    return check_name(f"{group}.name", node["name"])

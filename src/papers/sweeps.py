"""The sweeps behind the tables and figures, and the jobs of each, before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src import composing  # noqa: F401 - for what it provides
from src.errors import UserError, did_you_mean
from src.papers.published import ML_1M
from src.papers.things import NO_CHANCE, Thing
from src.paths import CONF
from src.sweeping.plan import Job, plan
from src.tracking.base import flatten

Options = dict[str, Any]

SYSTEM = "experiment/paper/system"
FACTORS = "model.factors"
QUICK_FACTORS = "8,16"
SEEDS = "0,1,2"

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "leave-one-out": (),
    # the released code trains through and takes the best of all epochs
    "ncf2017": ("protocol=ncf2017", "trainer.patience=null"),
}
QUICK_PROTOCOLS = {name: words[:1] for name, words in PROTOCOLS.items()}
REVISITED = "leave-one-out"
"""The tuned experiments choose on validation and fit again with it, and know no other protocol."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    data: Sequence[str]
    protocols: Sequence[str]
    quick: bool = False
    models: Sequence[str] = ()
    """Of a revisit; none named: all."""
    options: Sequence[str] = ()
    """Of src.train, for every run: they have the last word."""

    def protocols_of(self, thing: Thing) -> Sequence[str]:
        """Those in which the thing is made."""
        return (REVISITED,) if thing.revisit else self.protocols


@dataclass(frozen=True)
class Sweep:
    """One `python -m src.train -m WORDS`."""

    name: str
    data: str
    protocol: str
    words: list[str]
    jobs: list[Job] = field(repr=False)


def sweeps_of(thing: Thing, request: Request) -> list[Sweep]:
    """The thing's sweeps on all data and protocols asked for; their data are prepared on the way.

    Raises UserError for an option that its runs don't have.
    """
    return [
        _sweep(name, data, protocol, words, request)
        for data in request.data
        for protocol in request.protocols_of(thing)
        for name, words in (_tuned if thing.revisit else _of_files)(thing, protocol, request)
    ]


def _sweep(name: str, data: str, protocol: str, words: list[str], request: Request) -> Sweep:
    words = [*words, f"data={data}", *_fitting(words, request.options)]
    parts = ["paper", "quick" * request.quick, name]
    parts += [protocol * (protocol != REVISITED), data * (data != ML_1M)]
    if request.options:
        parts.append(hashlib.sha256(" ".join(request.options).encode()).hexdigest()[:6])
    return Sweep("-".join(filter(None, parts)), data, protocol, words, plan(composed(words)))


def _fitting(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """The options without those of models, where the models have none of the grid's."""
    flat = "experiment=paper/no-factors" in words
    return [word for word in options if not (flat and word.startswith("model."))]


def _of_files(thing: Thing, protocol: str, request: Request) -> list[tuple[str, list[str]]]:
    """Names and words of the sweeps that the thing's files in conf/experiment/paper hold."""
    sweeps = []
    for file in thing.experiments:
        word = f"experiment=paper/{file}"
        quick = _quickened(_params(word)) if request.quick else []
        chosen = (QUICK_PROTOCOLS if request.quick else PROTOCOLS)[protocol]
        sweeps.append((file, [word, *quick, *chosen]))
    return sweeps


def _quickened(params: Mapping[str, str]) -> list[str]:
    """What takes the place of a file's grid where time is short."""
    words = []
    if SYSTEM in params:
        systems = [f"quick/{system.strip()}" for system in params[SYSTEM].split(",")]
        words.append(f"{SYSTEM}={','.join(systems)}")
    if FACTORS in params:
        words.append(f"{FACTORS}={QUICK_FACTORS}")
    if "seed" in params:
        words.append("seed=0")
    return words


def _tuned(thing: Thing, _: str, request: Request) -> list[tuple[str, list[str]]]:
    """Names and words of the sweeps over the tuned experiments of the thing's models."""
    models = [name for name in tuned_models(thing) if name in (request.models or thing.models)]
    groups = {
        thing.name: [name for name in models if name not in NO_CHANCE],
        f"{thing.name}-no-chance": [name for name in models if name in NO_CHANCE],
    }
    return [
        (
            name,
            [
                f"experiment={','.join(f'{ML_1M}/{model}' for model in members)}",
                f"seed={0 if request.quick or name.endswith('no-chance') else SEEDS}",
            ],
        )
        for name, members in groups.items()
        if members
    ]


def tuned_models(thing: Thing) -> list[str]:
    """The thing's models that have a tuned experiment."""
    folder = CONF / "experiment" / ML_1M
    return [name for name in thing.models if (folder / f"{name}.yaml").exists()]


def composed(words: Sequence[str]) -> list[tuple[list[str], Options]]:
    """Words and options of each job of `python -m src.train -m WORDS`.

    Raises UserError for options that can't be composed.
    """
    try:
        return _composed(words)
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error
        key = getattr(cause, "full_key", None)
        line = f"no option {key}{_hint(key)}" if key else " ".join(str(cause).split())
        raise UserError(f"{line} (in python -m src.train -m {' '.join(words)})") from error


def _hint(key: str) -> str:
    return did_you_mean(key, flatten(OmegaConf.to_container(_compose([]))))  # type: ignore[arg-type]


def _composed(words: Sequence[str]) -> list[tuple[list[str], Options]]:
    file = next((word for word in words if word.startswith("experiment=")), "")
    grid_of_file = [f"{key}={value}" for key, value in _params(file).items()]
    overrides = OverridesParser.create().parse_overrides([*grid_of_file, *words])
    (grid,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    values = {o.get_key_element() for o in overrides if o.is_sweep_override() and not _is_group(o)}
    cfgs: dict[tuple[str, ...], DictConfig] = {}
    jobs = []
    for combination in map(list, grid):
        # composing takes a tenth of a second: combinations that differ in values share it
        own = [word for word in combination if word.split("=", 1)[0] in values]
        shared = tuple(word for word in combination if word not in own)
        if shared not in cfgs:
            cfgs[shared] = _compose(list(shared))
        cfg = cfgs[shared].copy()
        for override in OverridesParser.create().parse_overrides(own):
            OmegaConf.update(cfg, override.key_or_group, override.value())
        options: Options = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        jobs.append((combination, options))
    return jobs


def _is_group(override: Override) -> bool:
    return (CONF / override.key_or_group).is_dir()


@cache
def _params(word: str) -> Mapping[str, str]:
    """The grid that the experiment file of `experiment=FILE` holds."""
    if not word or "," in word:
        return {}
    params = _compose([word], with_hydra=True).hydra.sweeper.params or {}
    return {str(key): str(value) for key, value in params.items()}


def _compose(words: list[str], with_hydra: bool = False) -> DictConfig:
    """The configuration of `python -m src.train WORDS`, from a command or outside of any."""
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=words, return_hydra_config=with_hydra)

"""The sweeps behind the tables and figures, and the jobs of each, before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from src.config.compose import compose_jobs, explained, grid, params_of, plain
from src.config.paths import CONF
from src.papers.exhibits import NO_CHANCE, Thing
from src.papers.published import ML_1M
from src.sweeping.plan import Job, plan

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
        quick = _quickened(params_of([word])) if request.quick else []
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
    """Return words and options of each job of `python -m src.train -m WORDS`.

    Raises UserError for options that can't be composed.
    """
    with explained(words):
        combinations = grid(words)
        return list(zip(combinations, map(plain, compose_jobs(combinations)), strict=True))

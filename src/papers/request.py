"""What the command line asks for, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, MinLen

from src.config.build import build
from src.config.paths import CONF
from src.data.sources.released import FILES
from src.errors import UserError, did_you_mean
from src.papers.exhibits import PAPER, THINGS, Thing
from src.papers.published import PINTEREST
from src.papers.sweeps import PROTOCOLS, Options, Request, composed
from src.run.assembly import make_datamodule


@dataclass(frozen=True)
class Asked:
    """The whole command."""

    things: list[Thing]
    request: Request
    workers: int
    run: bool
    """Whether to run what is missing."""
    estimate: bool
    """Whether to stop after the estimate."""
    page: Path
    fill: Path | None

    @property
    def title(self) -> str:
        """Of the page."""
        revisits = all(thing.revisit for thing in self.things)
        name = "Baselines of the revisits" if revisits else "Neural Collaborative Filtering"
        return f"{name}, made again{' (quick)' * self.request.quick}"

    def __str__(self) -> str:
        quick = ", quick" * self.request.quick
        options = f"; with {' '.join(self.request.options)}" if self.request.options else ""
        names = ", ".join(thing.name for thing in self.things)
        protocols = dict.fromkeys(p for t in self.things for p in self.request.protocols_of(t))
        return (
            f"{names} on {', '.join(self.request.data)}, {' and '.join(protocols)}{quick}{options}"
        )


def asked(
    what: Annotated[list[str], MinLen(1)],
    datasets: Annotated[list[str], MinLen(1)],
    protocols: str,
    folder: str,
    out: str | None = None,
    quick: bool = False,
    models: Sequence[str] = (),
    workers: Annotated[int, Ge(1)] = 1,
    run: bool = True,
    estimate: bool = False,
    fill: str | None = None,
    options: Sequence[str] = (),
) -> Asked:
    """The options are explained in conf/paper.yaml. Raises UserError for mistakes in them."""
    things = [_one_of("what", name, THINGS) for name in dict.fromkeys(what)]
    both = _one_of("protocol", protocols, [*PROTOCOLS, "both"]) == "both"
    page = Path(folder) / _name(things, quick) if out is None else Path(out).expanduser()
    filled = None if fill is None else Path(fill).expanduser()
    if page.suffix != ".html":
        raise UserError(f"out={out}: the page's file ends in .html")
    if filled is not None and not filled.is_file():
        raise UserError(f"fill={fill}: no such file; it needs marks such as <!-- table2 -->")
    _check_models(models, things)
    chosen = list(PROTOCOLS) if both else [protocols]
    request = Request(list(dict.fromkeys(datasets)), chosen, quick, models, options)
    return Asked(
        [THINGS[thing] for thing in things],
        replace(request, data=_there(request)),
        workers,
        run,
        estimate,
        page,
        filled,
    )


def _name(things: Sequence[str], quick: bool) -> str:
    """Of the page: what is asked for, unless it is all of the paper."""
    parts = ["paper", *(["quick"] if quick else []), *(things if set(things) != set(PAPER) else [])]
    return f"{'-'.join(parts)}.html"


def _one_of(option: str, name: str, known: Sequence[str] | dict[str, Thing]) -> str:
    if name not in known:
        hint = did_you_mean(name, known)
        raise UserError(f"{option}={name}: choose from {', '.join(known)}{hint}")
    return name


def _check_models(models: Sequence[str], names: Sequence[str]) -> None:
    known = [model for name in names if THINGS[name].revisit for model in THINGS[name].models]
    if models and not known:
        raise UserError("models=... is for what=rendle2020 and what=dacrema2021")
    for model in models:
        _one_of("models", model, known)


def _there(request: Request) -> list[str]:
    """The data asked for that are there, or can be had; prepares them."""
    there = []
    for data in request.data:
        _one_of("data", data, [file.stem for file in (CONF / "data").glob("*.yaml")])
        if data == PINTEREST and len(request.data) > 1:
            folder = _folder(_composed(data, request, ("data.root=", "data.path=")))
            if not all((folder / file).is_file() for file in FILES["pinterest-20"]):
                print(f"{data} is left out: its files are not in {folder}", flush=True)
                continue
        # a mistake comes out here, once
        _ = make_datamodule(_composed(data, request, ("data.",))).prepared
        there.append(data)
    return there


def _composed(data: str, request: Request, prefixes: tuple[str, ...]) -> Options:
    words = [word for word in request.options if word.startswith(prefixes)]
    return composed([f"data={data}", *words])[0][1]


def _folder(options: Options) -> Path:
    return Path(build(options["data"]["source"], "data.source").folder)

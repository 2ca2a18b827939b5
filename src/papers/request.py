"""The command's options, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, MinLen

from src.config.build import build
from src.config.compose import Plain, choices_of, compose, explained, grid, plain
from src.data.sources.released import FILES
from src.errors import UserError, did_you_mean
from src.papers.exhibits import EXHIBITS, LEAVE_ONE_OUT, PAPER, PROTOCOL_LABELS, Exhibit
from src.papers.published import PINTEREST
from src.reporting.output_file import output_file
from src.run.assembly import make_data
from src.run.options import read_options

BOTH = "both"


@dataclass(frozen=True)
class PaperRequest:
    """The tables and figures that the command asks for, and how they are made."""

    exhibits: Sequence[Exhibit]
    data: Sequence[str]
    protocols: Sequence[str]
    quick: bool = False
    models: Sequence[str] = ()
    """The models of a revisit that are run; none named: all."""
    options: Sequence[str] = ()
    """Options of src.train, for every run: they have the last word."""
    workers: int = 1
    """Runs at once."""
    run: bool = True
    """Whether to run what is missing."""
    estimate: bool = False
    """Whether to stop after the estimate."""
    folder: Path = Path()
    """The folder of a page that `out` does not name."""
    out: Path | None = None
    fill: Path | None = None
    """A Markdown file whose marks are filled too."""

    @property
    def page(self) -> Path:
        """The page's file."""
        return self.out or self.folder / self._page_name

    @property
    def _page_name(self) -> str:
        """The exhibits' names, unless they are all of the paper."""
        names = [exhibit.name for exhibit in self.exhibits]
        parts = ["paper", *["quick"] * self.quick, *([] if self.whole_paper else names)]
        return f"{'-'.join(parts)}.html"

    @property
    def whole_paper(self) -> bool:
        """Whether all tables and figures of the paper are asked for."""
        return {exhibit.name for exhibit in self.exhibits} >= set(PAPER)

    @property
    def revisits_only(self) -> bool:
        """Whether nothing of the paper itself is asked for."""
        return all(exhibit.revisit for exhibit in self.exhibits)

    @property
    def title(self) -> str:
        """The page's title."""
        revisits = "Baselines of the revisits"
        name = revisits if self.revisits_only else "Neural Collaborative Filtering"
        return f"{name}, made again{' (quick)' * self.quick}"

    def list_protocols(self, exhibit: Exhibit) -> Sequence[str]:
        """Return the protocols in which the exhibit is made.

        Tuned experiments choose on validation and fit again with it, and know no other protocol.
        """
        return (LEAVE_ONE_OUT,) if exhibit.revisit else self.protocols

    def __str__(self) -> str:
        """Return what is asked for in words: "table2 on ncf-ml-1m, leave-one-out, quick"."""
        names = ", ".join(exhibit.name for exhibit in self.exhibits)
        every = (name for exhibit in self.exhibits for name in self.list_protocols(exhibit))
        protocols = " and ".join(dict.fromkeys(every))
        options = f"; with {' '.join(self.options)}" if self.options else ""
        return f"{names} on {', '.join(self.data)}, {protocols}{', quick' * self.quick}{options}"


def read_request(
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
) -> PaperRequest:
    """Return the request that the options make, which conf/paper.yaml explains.

    Prepares the data, and leaves out those that can't be had. Raises UserError for mistakes.
    """
    names = [_check_choice("what", name, EXHIBITS) for name in dict.fromkeys(what)]
    _check_choice("protocol", protocols, [*PROTOCOL_LABELS, BOTH])
    page = None if out is None else output_file(out, (".html",))
    filled = None if fill is None else Path(fill).expanduser()
    if filled is not None and not filled.is_file():
        raise UserError(f"fill={fill}: no such file; it needs marks such as <!-- table2 -->")
    request = PaperRequest(
        [EXHIBITS[name] for name in names],
        list(dict.fromkeys(datasets)),
        list(PROTOCOL_LABELS) if protocols == BOTH else [protocols],
        quick,
        models,
        options,
        workers,
        run,
        estimate,
        Path(folder),
        page,
        filled,
    )
    _check_models(request)
    return replace(request, data=_prepare_data(request))


def _check_choice(option: str, name: str, known: Iterable[str]) -> str:
    """Return the name. Raises UserError when it is none of those known."""
    choices = list(known)
    if name not in choices:
        hint = did_you_mean(name, choices)
        raise UserError(f"{option}={name}: choose from {', '.join(choices)}{hint}")
    return name


def _check_models(request: PaperRequest) -> None:
    """Refuse models that no revisit asked for reports on."""
    tuned = [exhibit for exhibit in request.exhibits if exhibit.tuned]
    if request.models and not tuned:
        raise UserError("models=... is for what=rendle2020 and what=dacrema2021")
    for model in request.models:
        _check_choice("models", model, [name for exhibit in tuned for name in exhibit.models])


def _prepare_data(request: PaperRequest) -> list[str]:
    """Prepare the data asked for; return those that are there, or can be had."""
    there = []
    for data in request.data:
        _check_choice("data", data, choices_of("data"))
        if data == PINTEREST and len(request.data) > 1:
            placed = _compose_data(data, request.options, ("data.root=", "data.path="))
            folder = _find_source(placed)
            if not all((folder / file).is_file() for file in FILES["pinterest-20"]):
                print(f"{data} is left out: its files are not in {folder}", flush=True)
                continue
        # a mistake comes out here, once
        _ = make_data(read_options(_compose_data(data, request.options, ("data.",)))).prepared
        there.append(data)
    return there


def _compose_data(data: str, options: Sequence[str], prefixes: tuple[str, ...]) -> Plain:
    """Return a run's options on that data, with those of `options` that begin so."""
    words = [f"data={data}", *(word for word in options if word.startswith(prefixes))]
    with explained(words):
        return plain(compose(grid(words)[0]))


def _find_source(options: Plain) -> Path:
    """Return the folder that holds the data's files."""
    return Path(build(options["data"]["source"], "data.source").folder)

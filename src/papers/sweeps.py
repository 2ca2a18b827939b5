"""The sweeps behind the tables and figures, and the jobs of each, before anything runs."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from joblib import cpu_count

from src.config.compose import Plain, compose_jobs, explained, grid, params_of, plain
from src.config.paths import CONF
from src.errors import UserError
from src.papers.exhibits import LEAVE_ONE_OUT, NCF_2017, NO_CHANCE, Exhibit
from src.papers.published import ML_1M
from src.papers.request import PaperRequest
from src.sweeping.plan import Job, plan

Composed = list[tuple[list[str], Plain]]
"""Words and options of each job of a sweep."""

SYSTEM = "experiment/paper/system"
FACTORS = "model.factors"
QUICK_FACTORS = "8,16"
SEEDS = "0,1,2"

PROTOCOL_WORDS: Mapping[str, tuple[str, ...]] = {
    LEAVE_ONE_OUT: (),
    # the released code trains through and takes the best of all epochs
    NCF_2017: ("protocol=ncf2017", "trainer.patience=null"),
}
QUICK_PROTOCOL_WORDS = {name: words[:1] for name, words in PROTOCOL_WORDS.items()}


@dataclass(frozen=True)
class Sweep:
    """One `python -m src.train -m WORDS`."""

    name: str
    data: str
    protocol: str
    words: list[str]
    jobs: list[Job] = field(repr=False)

    @property
    def seeds(self) -> set[int]:
        """The seeds of its jobs."""
        return {job.options["seed"] for job in self.jobs}


def list_sweeps(request: PaperRequest) -> dict[str, list[Sweep]]:
    """Return each exhibit's sweeps on all data and protocols asked for; prepare their data.

    Raises UserError for an option that its runs don't have, of which a row would have several, or
    by which no runs could be read back.
    """
    grids = {exhibit.name: _list_grids(exhibit, request) for exhibit in request.exhibits}
    # exhibits share grids
    words = list(dict.fromkeys(tuple(grid.words) for mine in grids.values() for grid in mine))
    jobs = dict(zip(words, map(plan, _compose_side_by_side(words)), strict=True))
    sweeps = {
        name: [
            Sweep(grid.name, grid.data, grid.protocol, grid.words, jobs[tuple(grid.words)])
            for grid in mine
        ]
        for name, mine in grids.items()
    }
    for exhibit in request.exhibits:
        _check_jobs(exhibit, sweeps[exhibit.name])
    return sweeps


def _check_jobs(exhibit: Exhibit, sweeps: Sequence[Sweep]) -> None:
    """Refuse what is not recorded, and two runs of one row with the same seed."""
    seen: dict[tuple[object, ...], Job] = {}
    for sweep in sweeps:
        for job in sweep.jobs:
            if "uri" not in job.options["tracking"]:
                raise UserError("the numbers are read from MLflow; leave tracking=mlflow as it is")
            row = exhibit.find_row(job.options)
            place = sweep.data, sweep.protocol, row, job.options["seed"]
            other = seen.setdefault(place, job)
            if other.key != job.key:
                only = [word for word in job.words if word not in other.words]
                raise UserError(
                    f"{exhibit.name}: {' '.join(only)} is one value too many: its row, "
                    f"{', '.join(map(str, row))}, has a run a seed already"
                )


@dataclass(frozen=True)
class _Grid:
    """A sweep before its configurations are composed."""

    name: str
    data: str
    protocol: str
    words: list[str]


def _compose_side_by_side(grids: Sequence[Sequence[str]]) -> list[Composed]:
    """Compose the grids of these words, in as many processes as there are cores.

    Those of the whole paper take a core 12 seconds. The processes are forks, which know the folders
    that this command was told to search.
    """
    cores = min(len(grids), int(cpu_count()))
    if cores < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [compose_sweep(words) for words in grids]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("fork")) as pool:
        return list(pool.map(compose_sweep, grids))


def _list_grids(exhibit: Exhibit, request: PaperRequest) -> list[_Grid]:
    """Return the exhibit's grids on all data and protocols asked for."""
    return [
        _name_grid(name, data, protocol, words, request)
        for data in request.data
        for protocol in request.list_protocols(exhibit)
        for name, words in (
            _list_tuned_grids(exhibit, request)
            if exhibit.tuned
            else _list_paper_grids(exhibit, protocol, request.quick)
        )
    ]


def _name_grid(
    name: str, data: str, protocol: str, words: list[str], request: PaperRequest
) -> _Grid:
    """Return the grid of that name and those words, with the request's data and options."""
    words = [*words, f"data={data}", *_select_options(words, request.options)]
    parts = ["paper", "quick" * request.quick, name]
    parts += [protocol * (protocol != LEAVE_ONE_OUT), data * (data != ML_1M)]
    if request.options:
        parts.append(hashlib.sha256(" ".join(request.options).encode()).hexdigest()[:6])
    return _Grid("-".join(filter(None, parts)), data, protocol, words)


def _select_options(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the options without those of models, where the models have none of the grid's."""
    flat = "experiment=paper/no-factors" in words
    return [word for word in options if not (flat and word.startswith("model."))]


def _list_paper_grids(exhibit: Exhibit, protocol: str, quick: bool) -> list[tuple[str, list[str]]]:
    """Return name and words of each grid that the exhibit's files in conf/experiment/paper hold."""
    grids = []
    for file in exhibit.experiments:
        word = f"experiment=paper/{file}"
        shorter = _shorten_grid(params_of([word])) if quick else []
        chosen = (QUICK_PROTOCOL_WORDS if quick else PROTOCOL_WORDS)[protocol]
        grids.append((file, [word, *shorter, *chosen]))
    return grids


def _shorten_grid(params: Mapping[str, str]) -> list[str]:
    """Return the words that take the place of a file's grid where time is short."""
    words = []
    if SYSTEM in params:
        systems = [f"quick/{system.strip()}" for system in params[SYSTEM].split(",")]
        words.append(f"{SYSTEM}={','.join(systems)}")
    if FACTORS in params:
        words.append(f"{FACTORS}={QUICK_FACTORS}")
    if "seed" in params:
        words.append("seed=0")
    return words


def _list_tuned_grids(exhibit: Exhibit, request: PaperRequest) -> list[tuple[str, list[str]]]:
    """Return name and words of each grid over the tuned experiments of the exhibit's models."""
    wanted = request.models or exhibit.models
    models = [name for name in list_tuned_models(exhibit) if name in wanted]
    groups = {
        exhibit.name: [name for name in models if name not in NO_CHANCE],
        f"{exhibit.name}-no-chance": [name for name in models if name in NO_CHANCE],
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


def list_tuned_models(exhibit: Exhibit) -> list[str]:
    """Return the exhibit's models that have a tuned experiment."""
    folder = CONF / "experiment" / ML_1M
    return [name for name in exhibit.models if (folder / f"{name}.yaml").exists()]


def compose_sweep(words: Sequence[str]) -> Composed:
    """Return words and options of each job of `python -m src.train -m WORDS`.

    Raises UserError for options that can't be composed.
    """
    with explained(words):
        combinations = grid(words)
        return list(zip(combinations, map(plain, compose_jobs(combinations)), strict=True))

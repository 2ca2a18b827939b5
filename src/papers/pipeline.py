"""From what was asked for to the page: plan, estimate, run, read back, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from src.papers.estimate import estimate_missing, measure_steps
from src.papers.markdown import ABOUT, CLAIMS, DIFFERENCES, fill_marks
from src.papers.page import WrittenPage, write_page
from src.papers.provenance import list_facts
from src.papers.reproduction import ExhibitResult, RecordedRuns, collect_result
from src.papers.request import PaperRequest
from src.papers.running import run_missing
from src.papers.spread import pool_spreads, share_spreads
from src.papers.sweeps import Sweep, list_sweeps
from src.papers.table_text import list_missing


def reproduce(request: PaperRequest) -> None:
    """Run what is missing and write the page, or say how long that would take."""
    sweeps = list_sweeps(request)
    every = [sweep for mine in sweeps.values() for sweep in mine]
    jobs = [job for sweep in every for job in sweep.jobs]
    if request.run or request.estimate:
        _say(estimate_missing(jobs, request.workers, measure_steps).describe())
    if request.estimate:
        return
    failed = run_missing(sweeps, request.workers) if request.run else []
    recorded = RecordedRuns.find(jobs)
    results = [
        collect_result(exhibit, data, sweeps[exhibit.name], request, recorded)
        for exhibit in request.exhibits
        for data in request.data
    ]
    spreads = pool_spreads(results)
    results = share_spreads(results, spreads)
    facts = list_facts(results, str(request), spreads)
    written = write_page(request.page, request.title, results, facts, recorded)
    _say_outcome(results, failed)
    _fill_page(request, written)
    _say(f"page     {written.page}")


def _say_outcome(results: Sequence[ExhibitResult], failed: Sequence[Sweep]) -> None:
    """Print what is missing, and the sweeps that failed."""
    _say("")
    for line in list_missing(results):
        _say(f"missing  {line}")
    for sweep in failed:
        _say(f"failed   sweep {sweep.name}, at least in part")


def _fill_page(request: PaperRequest, written: WrittenPage) -> None:
    """Fill the marks of the user's own page, if the request names one."""
    if request.fill is not None:
        sections = _name_marks(request, written.markdown)
        names = fill_marks(request.fill, sections, written.pictures)
        _say(f"filled   {request.fill}: {', '.join(names)}")


def _name_marks(
    request: PaperRequest, sections: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Return the sections by the marks that they go to.

    What is said of all together goes to the marks of the whole paper, or of the revisits.
    """
    named = {name: f"revisits-{name}" for name in (CLAIMS, ABOUT, DIFFERENCES)}
    if request.revisits_only:
        return {named.get(name, name): lines for name, lines in sections.items()}
    return {
        name: lines for name, lines in sections.items() if name not in named or request.whole_paper
    }


def _say(line: str) -> None:
    """Print the line at once."""
    print(line, flush=True)

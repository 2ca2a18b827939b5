"""From what was asked for to the page: plan, estimate, run, read back, write."""

from __future__ import annotations

from collections.abc import Mapping

from src.papers.estimate import Estimate, estimate
from src.papers.exhibits import PAPER
from src.papers.markdown import ABOUT, DIFFERENCES, fill_all
from src.papers.page import write_page
from src.papers.provenance import facts_of
from src.papers.reproduction import Store, block_of
from src.papers.request import Asked
from src.papers.running import run_missing
from src.papers.sweeps import sweeps_of
from src.papers.table_text import missing
from src.reporting.wording import counted, duration


def make(asked: Asked) -> None:
    """Runs what is missing and writes the page, or says how long that would take."""
    sweeps = {thing.name: sweeps_of(thing, asked.request) for thing in asked.things}
    every = [sweep for mine in sweeps.values() for sweep in mine]
    jobs = [job for sweep in every for job in sweep.jobs]
    if asked.run or asked.estimate:
        _say(_said(estimate(jobs, asked.workers, _say), asked.workers))
    if asked.estimate:
        return
    failed = run_missing(every, asked.workers) if asked.run else []
    store = Store.of(jobs)
    blocks = [
        block_of(thing, data, sweeps[thing.name], asked.request, store)
        for thing in asked.things
        for data in asked.request.data
    ]
    written = write_page(asked.page, asked.title, blocks, facts_of(blocks, str(asked)), store)
    _say("")
    for line in missing(blocks):
        _say(f"missing  {line}")
    for sweep in failed:
        _say(f"failed   sweep {sweep.name}, at least in part")
    if asked.fill is not None:
        prefix = "quick-" * asked.request.quick
        found = _for_marks(asked, written.markdown)
        names = fill_all(asked.fill, prefix, found, written.pictures)
        _say(f"filled   {asked.fill}: {', '.join(names)}")
    _say(f"page     {written.page}")


def _for_marks(asked: Asked, found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is said of all together goes to the marks of the whole paper, or of the revisits."""
    things = {thing.name for thing in asked.things}
    named = {ABOUT: f"revisits-{ABOUT}", DIFFERENCES: f"revisits-{DIFFERENCES}"}
    if all(thing.revisit for thing in asked.things):
        return {named.get(name, name): lines for name, lines in found.items()}
    return {k: lines for k, lines in found.items() if k not in named or things == set(PAPER)}


def _say(line: str) -> None:
    print(line, flush=True)


def _said(found: Estimate, workers: int) -> str:
    start = f"{counted(found.there + found.missing, 'run')}: {found.there} there"
    if not found.missing:
        return f"{start}, none missing"
    at_once = f", {workers} at once" if workers > 1 else ""
    low, high = duration(found.low), duration(found.high)
    times = low if low == high else f"{low} to {high}, by how early they stop"
    return f"{start}, {found.missing} missing, which take about {times}{at_once}"

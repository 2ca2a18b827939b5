"""The dashboard in a headless browser: its server, and what its user does there.

For the tests, and for the pictures in docs/. Every wait is bounded: what does not come raises
a TimeoutError, a server that does not answer RuntimeError.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from playwright.sync_api import Locator, Page, sync_playwright

from src.tracking.first_sight import SCRIPT

REPOSITORY = Path(__file__).resolve().parents[1]

LONGEST_START = 180  # seconds; mostly imports, in several processes
LONGEST_END = 20
LONGEST_WAIT = 30  # for anything on a page

NAMES = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    """The browser's file; None where there is none on the PATH."""
    return next((file for name in NAMES if (file := shutil.which(name))), None)


def until(read: Callable[[], Any], expected: Any) -> None:
    """Waits for what is read to be as expected. Raises TimeoutError when it never is."""
    deadline = time.monotonic() + LONGEST_WAIT
    while (found := read()) != expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not {expected} but {found}")
        time.sleep(0.1)


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of `python -m src.dashboard` over `home`/outputs, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with NamedTemporaryFile("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "src.dashboard", "--port", port],
            cwd=REPOSITORY,
            env={**os.environ, "NCF_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its workers are found by their group
        )
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(url, server):
                log.seek(0)
                raise RuntimeError(f"the dashboard does not answer: {log.read()[-2000:]}")
            yield url
        finally:
            _end(server)


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + LONGEST_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"{url}/health", timeout=5):
                return True
        except OSError:
            time.sleep(0.2)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers, whether they like it or not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + LONGEST_END
        while time.monotonic() < deadline and _lives(server):
            time.sleep(0.1)


def _lives(server: subprocess.Popen[bytes]) -> bool:
    """Whether any process of its group is left."""
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def browsing(width: int, height: int) -> Iterator[Page]:
    """A page of that size in pixels, in a browser of its own."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=installed(), args=root)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(LONGEST_WAIT * 1000)
        yield page
        browser.close()


def settle(page: Page) -> None:
    """Makes the page a browser's where the dashboard's own app is installed, wherever it is not."""
    page.add_init_script(f"if (window === top) {{ {SCRIPT} }}")  # not the artifacts within it


class Dashboard:
    """What a user does in the dashboard at `url`, click by click."""

    def __init__(self, page: Page, url: str) -> None:
        """Opens it for the first time, as it is where the package is installed: at the runs."""
        self.page, self.url = page, url
        settle(page)
        page.goto(url)

    def open_experiment(self, name: str) -> None:
        """Its runs, sweeps folded."""
        self.page.get_by_role("link", name="Experiments", exact=True).click()
        self.page.get_by_role("link", name=name, exact=True).click()
        self._rows.first.wait_for()

    def search(self, condition: str) -> None:
        """Only runs of which this is true, such as `tags.sweep = "grid"`."""
        self.page.get_by_test_id("search-box").fill(condition)
        self.page.keyboard.press("Enter")

    def open_view(self, name: str) -> None:
        """One of the experiment's saved views."""
        self.page.get_by_test_id("saved-views-trigger").click()
        self.page.get_by_role("menuitem").get_by_text(name, exact=True).click()

    def link(self, condition: str, column: str) -> str:
        """An address for the runs of the experiment shown of which this is true, best first."""
        shown = {
            "workflowType": "machine_learning",
            "searchFilter": condition,
            "orderByKey": f"metrics.`{column}`",
            "orderByAsc": "false",
        }
        return f"{self.page.url.partition('?')[0]}?{urlencode(shown)}"

    def expand(self, name: str) -> None:
        """Unfolds the sweep's row to those of its runs."""
        folded = self._rows.count()
        self._row(name).get_by_role("button").click()
        self._rows.nth(folded).wait_for()

    def show_columns(self, names: Sequence[str], instead_of: Sequence[str] = ()) -> None:
        """Ticks params and metrics in the list of columns, and unticks others."""
        self.page.get_by_role("button", name="Columns", exact=True).click()
        for name in (*instead_of, *names):
            self.page.get_by_placeholder("Search columns").fill(name)
            self.page.get_by_test_id("column-selector-tree").get_by_text(name, exact=True).click()
        self.page.keyboard.press("Escape")

    def widen(self, *columns: str) -> None:
        """Makes columns as wide as what stands in them; such as "metrics.`test/auc`"."""
        for column in columns:
            edge = f'.ag-header-cell[col-id="{column}"] .ag-header-cell-resize'
            self.page.locator(edge).dblclick()

    def sort(self, column: str) -> None:
        """By the column, largest first."""
        self.page.get_by_test_id(f"sort-header-{column}").click()

    def names(self) -> list[str]:
        """Of the runs in the table, from its top."""
        return _from_the_top(self._rows.locator("[col-id='attributes.`Run Name`']"))

    def cells(self, column: str) -> list[str]:
        """What stands in the column, from its top; such as "metrics.`test/auc`"."""
        cell = f'.ag-center-cols-container [col-id="{column}"]'
        self.page.locator(cell).first.wait_for()
        return _from_the_top(self.page.locator(cell))

    def show_charts(self, pattern: str, every_run: bool = False) -> None:
        """Draws the metrics whose names match, of the first ten runs or of all."""
        self.page.locator("label:has(input[value=CHART])").click()
        self.search_charts(pattern)
        if every_run:
            self.page.get_by_role("button", name="Toggle visibility of runs").click()
            self.page.get_by_role("menuitemradio", name="Show all runs").click()

    def search_charts(self, pattern: str) -> None:
        """Draws the metrics whose names match."""
        self.page.get_by_placeholder("Search metric charts").fill(pattern)

    def lines(self, chart: str) -> Locator:
        """The curves in the chart with that title."""
        title = self.page.get_by_text(chart, exact=True)
        card = self.page.get_by_test_id("experiment-view-compare-runs-card").filter(has=title)
        # each is drawn twice, the other time to be highlighted
        return card.locator(".scatterlayer .trace:nth-child(odd) path.js-line")

    def compare(self, names: Sequence[str]) -> None:
        """Ticks these runs and opens the page that compares them, at params that differ."""
        for name in names:
            self._row(name).locator(".ag-checkbox-input").check()
        self.page.get_by_role("button", name="Compare", exact=True).click()
        self.page.get_by_text("Visualizations", exact=True).click()
        self.page.get_by_role("switch", name="Parameters - Show diff only").click()

    def compared(self, metric: str) -> list[str]:
        """The values of a metric on the page that compares runs, which are rounded there."""
        names, values = self.page.locator(".ReactVirtualized__Grid").all()
        name = names.get_by_text(metric, exact=True)
        values.hover()
        until(lambda: self._scrolled_to(name), True)
        row = name.evaluate("name => name.closest('[style*=top]').style.top")
        values.evaluate("(list, row) => { list.scrollTop = parseInt(row) - 90 }", row)
        self.page.mouse.wheel(0, 1)  # the names are always one scroll behind their values
        cells = values.locator(".ReactVirtualized__Grid__innerScrollContainer > *")
        return cells.evaluate_all(
            "(cells, row) => cells.filter(c => c.style.top == row).map(c => c.innerText.trim())",
            row,
        )

    def _scrolled_to(self, place: Locator) -> bool:
        """Whether it is there; else scrolls on, as lists have no rows that nobody sees."""
        if place.count():
            return True
        self.page.mouse.wheel(0, 150)
        return False

    def open_run(self, name: str, tab: str = "Overview") -> None:
        """The page of a run in the table, at "Model metrics" or "Artifacts" if named."""
        self.page.get_by_role("link", name=name, exact=True).click()
        self.page.get_by_role("tab", name=tab).click()

    def open_artifact(self, *path: str) -> None:
        """Unfolds the folders and shows the file, on the page of a run."""
        for part in path:
            self.page.get_by_text(part, exact=True).first.click()

    def picture(self, path: str) -> int:
        """How many pixels wide the picture is that an artifact of this path is shown as."""
        shown = self.page.locator(f'img[alt="{path}"]').first
        return shown.evaluate("image => image.complete ? image.naturalWidth : 0")

    @property
    def _rows(self) -> Locator:
        return self.page.locator(".ag-pinned-left-cols-container .ag-row")

    def _row(self, name: str) -> Locator:
        return self._rows.filter(has=self.page.get_by_role("link", name=name, exact=True))


def _from_the_top(cells: Locator) -> list[str]:
    """Texts of a column's cells: in the page they stand in the order in which they were drawn."""
    numbered = cells.evaluate_all(
        """cells => cells.map(cell => [
            Number(cell.closest("[row-index]").getAttribute("row-index")),
            (cell.querySelector("a") ?? cell).innerText.trim(),
        ])"""
    )
    return [text for _, text in sorted(numbered)]

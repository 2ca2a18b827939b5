"""Keep what the tests of this folder tried, test by test, for the table of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.table import KEPT, Row, keep, write_table

Note = Callable[..., None]


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Note how often a fault was tried, and how often nothing was lost: a row of the table."""

    def add(fault: str, tried: int, survived: int | None = None, detail: str = "") -> None:
        row = Row(fault, tried, tried if survived is None else survived, detail)
        request.node.user_properties.append(("row", row._asdict()))

    return add


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep the rows of a test that is of `make chaos` only."""
    report = yield
    if report.when == "call" and item.get_closest_marker("chaos"):
        rows = [Row(**row) for name, row in item.user_properties if name == "row"]
        keep(KEPT, item.nodeid, rows)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table anew after tests of `make chaos`."""
    if any(item.get_closest_marker("chaos") for item in session.items):
        write_table(KEPT)

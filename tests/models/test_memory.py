from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from src.errors import UserError
from src.models.memory import require_memory
from tests.commands import ONE_THREAD, SMALL_DATA

if TYPE_CHECKING:
    from tests.conftest import Call


@pytest.fixture
def only_10_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "src.models.memory.psutil.virtual_memory", lambda: SimpleNamespace(available=10_000)
    )


@pytest.mark.usefixtures("only_10_kb")
def test_what_does_not_fit_is_refused() -> None:
    require_memory(10_000, "a table", "take less")
    with pytest.raises(UserError, match=r"a table takes 2\.5 GB of memory and 0 MB are free: take"):
        require_memory(2_500_000_000, "a table", "take less")


@pytest.mark.usefixtures("only_10_kb")
@pytest.mark.parametrize("name", ["ease", "slim"])
def test_dense_item_matrices_are_refused_in_one_line(name: str, call: Call) -> None:
    run = call(f"model={name}", *SMALL_DATA, *ONE_THREAD, "tracking=none")
    assert run.status == 2
    assert f"model={name}" in run.err
    assert "of 100 x 100 takes" in run.err
    assert "use model=itemknn, or drop rare items with data.k_core" in run.err

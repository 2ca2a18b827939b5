"""What training takes, with a meter that says what it is told."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from src.run import energy
from tests.commands import TINY

if TYPE_CHECKING:
    from tests.conftest import Call


class Meter:
    """What codecarbon has: 0.0021 kWh each time."""

    said: list[str]

    def __init__(self, **options: Any) -> None:
        assert options["save_to_file"] is False
        self.said.append("made")
        self.final_emissions_data = SimpleNamespace(energy_consumed=0.0021)

    def start(self) -> None:
        self.said.append("started")

    def stop(self) -> None:
        self.said.append("stopped")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    module: Any = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = Meter
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    monkeypatch.setattr(energy, "find_spec", lambda _: module)
    monkeypatch.setattr(Meter, "said", [], raising=False)
    return Meter.said


def test_a_run(said: list[str], call: Call) -> None:
    finished = call(*TINY, "model=gmf", "tracking=none", "tracking.energy=true")
    assert finished.status == 0, finished.err
    assert said == ["made", "started", "stopped"]
    measured = json.loads((finished.folder / "metrics.json").read_text())
    assert measured["fit/energy_wh"] == pytest.approx(2.1)
    assert " examples/s, 2.1 Wh\n" in finished.out


def test_nothing_is_measured_unless_wanted(said: list[str]) -> None:
    with energy.measuring({"name": "none"}) as found:
        pass
    assert found == {}
    assert said == []


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("true", "tracking.energy=true needs codecarbon: pip install 'ncf-bench[energy]'"),
        ("much", "tracking.energy=much: true or false is needed here"),
    ],
)
def test_mistakes(value: str, line: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda _: None)
    finished = call(*TINY, "tracking=none", f"tracking.energy={value}")
    assert finished.status == 2
    assert finished.err == f"error: {line}\n"

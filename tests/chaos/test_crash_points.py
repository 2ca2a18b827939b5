"""A run and a sweep, killed or failed at each change of a file, end as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.chaos.crash_points import COMMANDS, FAULTS
from tests.commands import REPOSITORY

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]

# Every point takes an hour and more a row; `CHAOS_STEP=1 make chaos` tries them all
STEP = os.environ.get("CHAOS_STEP", "40")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost(name: str, fault: str, tmp_path: Path, note: Note) -> None:
    out = tmp_path / "found.json"
    words = ["-m", "tests.chaos.crash_points", name, STEP, str(out), fault]
    subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True)
    (tried,) = json.loads(out.read_text())
    changes = f"at a change of a file: {tried['points']}"
    note(f"a {name} of two epochs, {fault} {changes}", tried["tries"], tried["survived"])
    assert tried["tries"] > 0
    assert tried["lost"] == []

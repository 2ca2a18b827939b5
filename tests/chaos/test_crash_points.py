"""A run and a sweep, killed or failed at each change of a file, end as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.command import COMMANDS
from tests.chaos.conftest import Note
from tests.chaos.crash_points import FAULTS, NAME
from tests.commands import REPOSITORY

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]

# Every how many-th is tried; a fault that the command meets itself takes several times as long
STEPS = {
    "killed": 1,
    "power cut": 1,
    "killed in earnest": 60,
    "disk full from there on": 40,
    "one write fails (EIO)": 40,
    "killed ten times": 400,
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost(name: str, fault: str, tmp_path: Path, note: Note) -> None:
    out = tmp_path / "found.json"
    step = os.environ.get("CHAOS_STEP", str(STEPS[fault]))
    words = ["-m", NAME, name, step, str(out), fault]
    subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True)
    (tried,) = json.loads(out.read_text())
    changes = f"at a change of a file: {tried['points']}"
    note(f"a {name} of two epochs, {fault} {changes}", tried["tries"], tried["survived"])
    assert tried["tries"] > 0
    assert tried["lost"] == []

"""docs/data.md: its commands in their order, as they are printed, and what it says they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from src.data.sources.columns import NAMES
from tests.commands import REPOSITORY

PAGE = (REPOSITORY / "docs" / "data.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.S | re.M)


def test_the_names_of_columns_are_those_that_are_found() -> None:
    for field in ("user", "item", "rating", "timestamp"):
        (row,) = re.findall(rf"^\| {field} \| (.*) \|$", PAGE, re.M)
        printed = [
            re.sub(r"\W|_", "", name).lower() for name in row.removesuffix(", ...").split(", ")
        ]
        assert [name for name in NAMES[field] if name in printed] == printed


@pytest.mark.slow
def test_commands_run_as_they_are_printed(tmp_path: Path) -> None:
    said = ""
    environment = {
        **os.environ,
        "NCF_HOME": str(tmp_path),
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    for block in [text for kind, text in BLOCKS if kind == "sh"]:
        finished = subprocess.run(
            ["bash", "-e"],
            input=block,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, f"{block}\n{finished.stdout}\n{finished.stderr}"
        said += finished.stdout
    for printed in [text for kind, text in BLOCKS if not kind]:
        assert [line for line in printed.splitlines() if line not in said] == []
    assert "column ts looks like times and is not used" in said
    assert "split as given, validation at random, no times" in said

"""Tab completion: what a word may become, and what the shells are told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.completion import script, suggest
from tests.commands import MODELS, REPOSITORY


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("ncf-train model=", [f"model={name}" for name in MODELS]),
        ("ncf-train -m model=nm", ["model=nmf"]),
        ("python -m src.train model=nm", ["model=nmf"]),
        (".venv/bin/python -m src.train model=gmf model.fac", ["model.factors="]),
        ("ncf-train experiment=nc", ["experiment=ncf-ml-1m/"]),
        ("ncf-train experiment=ncf-ml-1m/e", ["experiment=ncf-ml-1m/ease"]),
        ("ncf-train experiment=paper/system/q", ["experiment=paper/system/quick/"]),
        ("ncf-train data.negati", ["data.negatives="]),
        ("ncf-train nothing", []),
        ("ncf-train", []),
        ("", []),
    ],
)
def test_suggestions(line: str, choices: list[str]) -> None:
    assert suggest("train", line) == choices


@pytest.mark.parametrize(
    ("command", "word", "choice"),
    [
        ("report", "swe", "sweep="),
        ("tune", "tri", "trials="),
        ("paper", "estim", "estimate="),
        ("paper", "model.fac", "model.factors="),
        ("runs", "cle", "clean="),
        ("recommend", "his", "history="),
        ("convert", "ker", "keras="),
    ],
)
def test_every_command_has_its_own(command: str, word: str, choice: str) -> None:
    assert suggest(command, f"ncf-{command} {word}") == [choice]


def test_after_a_blank_everything_is_suggested() -> None:
    found = suggest("train", "ncf-train ")
    assert {"model=", "data=", "seed="} <= set(found)


def test_bash_completes_a_command_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    text = script("bash")
    line = f"{python} -m src.train experiment=ncf-ml-1m/e"
    asked = f"{text}\nCOMP_LINE='{line}'\n_ncf_bench\necho \"${{COMPREPLY[*]}}\""
    said = subprocess.run(
        ["bash", "-c", asked], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert said.stdout == "experiment=ncf-ml-1m/ease\n"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed here")
def test_zsh_takes_the_script() -> None:
    subprocess.run(["zsh", "-c", str(script("zsh"))], check=True)


def test_every_command_is_registered() -> None:
    last = str(script("bash")).strip().splitlines()[-1]
    assert {"ncf-train", "ncf-report", "ncf-tune", "python"} <= set(last.split())


def test_other_shells_are_left_to_hydra() -> None:
    assert script("fish") is None

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from src.run.provenance import git_commit

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit that plays the code's."""

    def git(*words: str) -> None:
        subprocess.run(["git", *IDENTITY, *words], cwd=tmp_path, check=True)

    (tmp_path / "model.py").write_text("factors = 8")
    (tmp_path / "installed").mkdir()
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    git("tag", "v1")
    monkeypatch.setattr("src.run.provenance.CODE", tmp_path)
    return tmp_path


def head(repository: Path) -> str:
    shown = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True)
    return shown.strip()


def test_the_commit_is_that_of_the_code(repository: Path) -> None:
    assert git_commit() == head(repository)


def test_changed_files_show(repository: Path) -> None:
    (repository / "model.py").write_text("factors = 16")
    assert git_commit() == f"{head(repository)}-dirty"


def test_a_copy_inside_another_repository_has_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.run.provenance.CODE", repository / "installed")
    assert git_commit() == "unknown"

"""Composing: commands to type, grids, and the jobs of a sweep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.core.global_hydra import GlobalHydra

from src.config.compose import (
    add_search_words,
    command_line,
    compose,
    compose_jobs,
    explained,
    grid,
    params_of,
    plain,
)
from src.config.processes import ROOT, own_command, own_environment, see_working_folder
from src.errors import UserError
from tests.commands import SMALL_DATA

if TYPE_CHECKING:
    from tests.conftest import Call

Said = dict[str, list[str] | str]


@pytest.fixture
def said(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Said]:
    """What a command says of commands to type, when `ask` runs it in a folder with `conf`."""
    found: Said = {}

    def task(_: object) -> None:
        found["words"] = add_search_words("model=mine")
        found["line"] = command_line("tune", "model=mine", "trainer.callbacks=[{a: 1}]")

    monkeypatch.setattr("src.train.train", task)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("name: mine\n_target_: my.Mine\n")
    monkeypatch.setattr(sys, "path", sys.path[:])
    return found


def test_outside_of_a_command() -> None:
    assert not GlobalHydra.instance().is_initialized()
    assert add_search_words("seed=1") == ["seed=1"]
    assert command_line("train", "seed=1", "a=[b, c]") == "python -m src.train seed=1 'a=[b, c]'"


def test_by_a_console_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/ncf-tune", "model=gmf"])
    assert command_line("train", "model=gmf") == "ncf-train model=gmf"


@pytest.mark.parametrize("given", ["conf", "{here}/conf", "./conf"])
def test_a_folder_within_the_working_folder(
    given: str, call: Call, said: Said, tmp_path: Path
) -> None:
    finished = call("--config-dir", given.format(here=tmp_path), "model=mine")
    assert finished.status == 0, finished
    assert said["words"] == ["--config-dir", "conf", "model=mine"]
    assert said["line"] == (
        "python -m src.tune --config-dir conf model=mine 'trainer.callbacks=[{a: 1}]'"
    )


def test_a_folder_elsewhere(
    call: Call, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")
    finished = call("--config-dir", "../conf", "model=mine")
    assert finished.status == 0, finished
    assert said["words"] == ["--config-dir", f"{tmp_path}/conf", "model=mine"]


def test_a_search_path(call: Call, said: Said, tmp_path: Path) -> None:
    path = f"hydra.searchpath=[file://{tmp_path}/conf]"
    finished = call(path, "model=mine")
    assert finished.status == 0, finished
    assert said["words"] == ["model=mine", path]


def test_a_grid() -> None:
    assert grid(["model=gmf,mlp", "seed=0,1", "ks=[1,10]"]) == [
        ["model=gmf", "seed=0", "ks=[1,10]"],
        ["model=gmf", "seed=1", "ks=[1,10]"],
        ["model=mlp", "seed=0", "ks=[1,10]"],
        ["model=mlp", "seed=1", "ks=[1,10]"],
    ]
    assert grid(["seed=range(0,3)"]) == [["seed=0"], ["seed=1"], ["seed=2"]]
    assert grid([]) == [[]]


def test_a_grid_of_a_file() -> None:
    word = "experiment=sweep/factors"
    swept = params_of([word])
    assert swept
    n = 1
    for values in swept.values():
        n *= len(values.split(","))
    assert len(grid([word])) == n
    # words take the place of the file's
    fixed = [f"{name}=8" if name == "model.factors" else f"{name}=0" for name in swept]
    named = [word for word in fixed if word.split("=")[0] in ("model.factors", "seed")]
    assert len(grid([word, *named])) < n


def test_jobs_are_composed_as_one_by_one() -> None:
    combinations = grid([*SMALL_DATA, "model=gmf,mlp", "model.factors=4,8", "optimizer.lr=0.1"])
    shared = [plain(cfg) for cfg in compose_jobs(combinations, "sweep.name=x")]
    single = [plain(compose([*words, "sweep.name=x"])) for words in combinations]
    for one in (*shared, *single):  # which differ in nothing else
        one["tracking"].pop("run_name")
    assert shared == single
    assert [job["model"]["name"] for job in shared] == ["gmf", "gmf", "mlp", "mlp"]


def test_words_that_can_t_be_composed() -> None:
    words = ["model=gmf", "model.factor=8"]
    with pytest.raises(UserError, match=r"model\.factor") as caught, explained(words):
        compose(words)
    assert str(caught.value).endswith("(in python -m src.train -m model=gmf model.factor=8)")


def test_processes_run_this_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{ROOT}")
    assert own_environment()["PYTHONPATH"] == f"{ROOT}:/elsewhere"
    monkeypatch.delenv("PYTHONPATH")
    assert own_environment()["PYTHONPATH"] == ROOT
    command = own_command("train", "seed=1")
    assert command == [sys.executable, "-P", "-m", "src.train", "seed=1"]


def test_the_working_folder_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/usr/bin"])
    see_working_folder()
    see_working_folder()
    assert sys.path == ["/usr/bin", ROOT, str(tmp_path)]

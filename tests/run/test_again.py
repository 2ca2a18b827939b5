"""A finished run's configuration trained again, with changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome


def metrics_of(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())


def test_unchanged_it_comes_to_the_same(trained: TrainedHome, call: Call) -> None:
    again = call(f"run={trained.run.run_id[:8]}", "tracking=none", home=trained.home)
    assert again.status == 0, again.err
    names = ("test/hr@10", "test/ndcg@10", "fit/best_epoch")
    expected, found = metrics_of(trained.run.folder), metrics_of(again.folder)
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}


def test_changes_come_after_the_run_s_own_words(trained: TrainedHome, call: Call) -> None:
    words = (f"run={trained.run.folder.name}", "seed=1", "tracking=none")
    again = call(*words, "model=gmf", "trainer.max_epochs=1", home=trained.home)
    assert again.status == 0, again.err
    options = yaml.safe_load((again.folder / "config.yaml").read_text())
    assert (options["seed"], options["model"]["name"]) == (1, "gmf")
    assert options["trainer"]["max_epochs"] == 1
    assert options["data"]["source"]["n_users"] == 200


def test_defaults_that_have_changed_since_are_told(
    trained: TrainedHome, call: Call, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(trained.run.folder, tmp_path / "older"))
    options = yaml.safe_load((older / "config.yaml").read_text())
    options["optimizer"]["lr"] = 0.5
    (older / "config.yaml").write_text(yaml.safe_dump(options))
    again = call(f"run={older}", "tracking=none", home=trained.home)
    assert again.status == 0, again.err
    assert "defaults have changed since older: optimizer.lr=0.001 (was 0.5)" in again.out


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (None, "can't be read: it says how the run was started"),
        ("{", "can't be read: it says how the run was started"),
        ("5", "is damaged: it says how the run was started"),
        ("[loss._target_=os.system]", "names os.system as loss, which is none of this project's"),
    ],
)
def test_a_foreign_folder_is_no_code(
    trained: TrainedHome, call: Call, tmp_path: Path, overrides: str | None, line: str
) -> None:
    folder = Path(shutil.copytree(trained.run.folder, tmp_path / "foreign"))
    (folder / ".hydra" / "overrides.yaml").unlink()
    if overrides is not None:
        (folder / ".hydra" / "overrides.yaml").write_text(overrides)
    refused = call(f"run={folder}", home=trained.home)
    assert refused.status == 2
    assert line in refused.err
    assert refused.err.count("\n") == 1


def test_no_such_run(call: Call) -> None:
    refused = call("run=nowhere")
    assert refused.status == 2
    assert refused.err.startswith("error: no run nowhere: neither a folder, nor a name in ")

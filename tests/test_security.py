"""Nothing that a file names is run: crafted checkpoints and runs are refused in one line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml

from src.api import load_model
from src.errors import UserError
from tests.commands import ONE_THREAD, SMALL_DATA

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

UNTRACKED = (*SMALL_DATA, *ONE_THREAD, "tracking=none", "trainer.max_epochs=1", "ks=[1,10]")

MODEL = """
from pathlib import Path

from src.models import GMF

Path(__file__).with_name("imported").touch()


class Mine(GMF):
    def score(self, users, items):
        return 2 * super().score(users, items)
"""


@pytest.fixture
def run(trained: TrainedHome, tmp_path: Path) -> Path:
    """Return a copy of a trained run's folder."""
    return Path(shutil.copytree(trained.run.folder, tmp_path / "run"))


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model of the user's own in the working folder; gives the file that says it was imported."""
    (tmp_path / "mymodels.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "imported"
    sys.modules.pop("mymodels", None)


def craft_checkpoint(run: Path, model: dict[str, Any]) -> Path:
    """Let a run's checkpoint say that its model is made by something else."""
    file = run / "checkpoints" / "best.ckpt"
    content = torch.load(file, weights_only=True)
    content["hyper_parameters"]["model"] = model
    file.unlink()  # last.ckpt may be the same file
    torch.save(content, file)
    return file


def craft_config(run: Path, option: str, node: dict[str, Any]) -> None:
    """Let a run's configuration choose something else for an option."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    place = config
    *groups, last = option.split(".")
    for group in groups:
        place = place[group]
    place[last] = node
    (run / "config.yaml").write_text(yaml.safe_dump(config))


HUB = {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c", "trust_repo": True}


def system(tmp_path: Path) -> dict[str, Any]:
    return {"_target_": "os.system", "command": f"touch {tmp_path / 'ran'}"}


@pytest.mark.parametrize("target", ["os.system", "torch.hub.load"])
def test_a_crafted_checkpoint_is_refused(
    target: str, run: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.hub.load", lambda *_, **__: pytest.fail("was called"))
    file = craft_checkpoint(run, HUB if target == "torch.hub.load" else system(tmp_path))
    module = target.rpartition(".")[0]
    line = (
        f"{file} names {target} as model, which is none of this project's: "
        f"if you know that code and trust it, add trust={module}"
    )
    with pytest.raises(UserError) as raised:
        load_model(file)
    assert str(raised.value) == line
    evaluated = call(f"run={run}", *ONE_THREAD[:1], command="evaluate")
    assert (evaluated.status, evaluated.err) == (2, f"error: {line}\n")
    parts = (f"model.pretrained.gmf={file}", f"model.pretrained.mlp={file}")
    assert call(*UNTRACKED, *parts).err == f"error: {line}\n"
    # not even where it is trusted, since it is no model
    again = call(f"run={run}", f"trust={module}", *ONE_THREAD[:1], command="evaluate")
    assert (again.status, again.err) == (2, f"error: model._target_={target} is no Recommender\n")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "option", ["model", "loss", "optimizer", "scheduler", "data.source", "tracking", "model.more"]
)
@pytest.mark.parametrize("command", ["evaluate", "plot"])
def test_a_crafted_configuration_is_refused(
    option: str, command: str, run: Path, tmp_path: Path, call: Call
) -> None:
    craft_config(run, option, system(tmp_path))
    words = ("what=data",) if command == "plot" else ()
    refused = call(f"run={run}", *words, command=command)
    assert refused.status == 2
    assert refused.err == (
        f"error: {run}/config.yaml names os.system as {option}, which is none of this project's: "
        "if you know that code and trust it, add trust=os\n"
    )
    assert not (tmp_path / "ran").exists()


def test_a_crafted_metric_is_refused(run: Path, call: Call) -> None:
    craft_config(run, "metrics", ["os.system"])  # type: ignore[arg-type]
    assert "names os.system as metrics" in call(f"run={run}", command="evaluate").err


def test_a_run_s_own_trust_is_none_of_ours(run: Path, mine: Path, call: Call) -> None:
    craft_config(run, "trust", ["mymodels"])  # type: ignore[arg-type]
    craft_config(run, "loss", {"_target_": "mymodels.Mine"})
    assert "add trust=mymodels" in call(f"run={run}", command="evaluate").err
    assert not mine.exists()


def test_a_model_of_the_user_s_own(mine: Path, call: Call, tmp_path: Path) -> None:
    own = ("model=gmf", "model._target_=mymodels.Mine")
    finished = call(*UNTRACKED, *own)
    assert finished.status == 0, finished.err
    assert mine.exists()
    mine.unlink()
    del sys.modules["mymodels"]

    refused = call(f"run={finished.folder}", command="evaluate")
    assert refused.status == 2
    assert refused.err.endswith("if you know that code and trust it, add trust=mymodels\n")
    assert not mine.exists()

    evaluated = call(f"run={finished.folder}", "trust=mymodels", command="evaluate")
    assert evaluated.status == 0, evaluated.err
    file = finished.folder / "checkpoints" / "best.ckpt"
    with pytest.raises(UserError, match="add trust=mymodels"):
        load_model(file)
    assert type(load_model(file, trusted=["mymodels"])).__name__ == "Mine"

    parts = (f"model.pretrained.gmf={file}", f"model.pretrained.mlp={file}")
    assert "add trust=mymodels" in call(*UNTRACKED, *parts).err
    # trusted, it is looked at, and is no MLP
    assert (
        "model.pretrained wants a gmf and an mlp" in call(*UNTRACKED, *parts, "trust=mymodels").err
    )


def test_stages_of_the_user_s_own_need_no_more_words(mine: Path, call: Call) -> None:
    words = ("experiment=neumf-pretrained", "pretrain.gmf.model._target_=mymodels.Mine")
    finished = call(*UNTRACKED, *words)
    assert finished.status == 0, finished.err

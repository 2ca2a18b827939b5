"""What files may name as code: our own classes where they belong, and what the user trusts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from src.config.trust import named_code, refuse_foreign_code, trusted_modules
from src.errors import UserError

OURS: dict[str, Any] = {
    "model": {"_target_": "src.models.NeuMF", "factors": 8},
    "loss": {"_target_": "src.training.losses.BCE"},
    "optimizer": {"_target_": "torch.optim.Adagrad"},
    "scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR"},
    "data": {"source": {"_target_": "src.data.sources.movielens.MovieLens"}},
    "tracking": {"_target_": "pytorch_lightning.loggers.CSVLogger"},
    "trainer": {"callbacks": [{"_target_": "pytorch_lightning.callbacks.Timer"}]},
    "metrics": [],
}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a module of the user's own that tells when it is imported."""
    (tmp_path / "mymodels.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mymodels", raising=False)
    return "mymodels"


def test_what_our_configurations_name_is_allowed() -> None:
    refuse_foreign_code(OURS, (), "config.yaml")
    refuse_foreign_code({**OURS, "loss": {"_target_": None}}, (), "config.yaml")


@pytest.mark.parametrize(
    ("option", "target"),
    [
        ("model", "os.system"),
        ("model", "torch.hub.load"),
        ("model", "torch.optim.Adam"),  # of another kind
        ("model", "src.models.recommender.nn"),  # only imported there
        ("model", "src.models.ncf.Tensor"),
        ("model", "src.models.Nobody"),
        ("model", "src.cli.run"),
        ("model", "src.modelsx.NeuMF"),
        ("model", "src.models..NeuMF"),
        ("model", "src.models"),
        ("model", "src.models.testing.subprocess.run"),
        ("model", "../../evil"),
        ("model", ""),
        ("model", 5),
        ("model", ["os.system"]),
        ("loss", "src.training.losses.softplus"),
        ("loss", "src.training.losses.is_rating_loss"),
        ("optimizer", "torch.optim.lr_scheduler.StepLR"),
        ("optimizer", "torch.optim.optimizer.functools"),
        ("source", "src.data.sources.download.download"),
        ("source", "src.data.sources.table.Table"),
        ("tracking", "pytorch_lightning.callbacks.Timer"),
    ],
)
def test_other_code_is_refused(option: str, target: object) -> None:
    node = {option: {"_target_": target}}
    with pytest.raises(UserError) as raised:
        refuse_foreign_code({"data": node} if option == "source" else node, (), "a/config.yaml")
    line = str(raised.value)
    assert len(line) <= 300
    assert "\n" not in line


def test_nothing_is_imported_before_it_is_allowed(mine: str, tmp_path: Path) -> None:
    node = {"model": {"_target_": f"{mine}.Mine"}}
    with pytest.raises(UserError) as raised:
        refuse_foreign_code(node, ("mymodel", "mymodels.other"), "best.ckpt")
    assert str(raised.value) == (
        "best.ckpt names mymodels.Mine as model, which is none of this project's: "
        "if you know that code and trust it, add trust=mymodels"
    )
    refuse_foreign_code(node, ("mymodels",), "best.ckpt")
    assert not (tmp_path / "ran").exists()
    assert mine not in sys.modules


@pytest.mark.parametrize(
    "node",
    [
        {"model": {"layers": [{"_target_": "os.system"}]}},
        {"model": {"_target_": "src.models.NeuMF", "part": {"_target_": "src.models.GMF"}}},
        {"other": {"_target_": "src.models.NeuMF"}},
        {"metrics": ["os.system"]},
        {"trainer": {"callbacks": [{"_target_": "os.system"}]}},
        {"_target_": "os.system"},
    ],
)
def test_code_in_unusual_places_is_refused(node: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="which is none of this project's"):
        refuse_foreign_code(node, (), "config.yaml")


def test_a_configuration_without_end_is_refused() -> None:
    node: dict[str, Any] = {"_target_": "src.models.NeuMF"}
    node["model"] = node
    with pytest.raises(UserError, match="nested without end"):
        refuse_foreign_code(node, (), "best.ckpt")


def test_what_the_user_s_own_configuration_names_is_trusted() -> None:
    assert trusted_modules(OURS) == (
        "torch.optim",
        "torch.optim.lr_scheduler",
        "pytorch_lightning.loggers",
        "pytorch_lightning.callbacks",
    )
    own = {"model": {"_target_": "mymodels.Mine"}, "metrics": ["mymetrics.rbp"]}
    assert trusted_modules(own) == ("mymodels", "mymetrics")
    assert trusted_modules({"trust": "a.b"}) == ("a.b",)
    assert trusted_modules({"trust": ["a", "b"], **own}) == ("a", "b", "mymodels", "mymetrics")
    assert trusted_modules({"trust": None}) == ()


@pytest.mark.parametrize("given", [5, "../x", "a b", ["a", 1], {"a": 1}, "a."])
def test_trust_names_modules(given: object) -> None:
    with pytest.raises(UserError, match=r"^trust=.*: modules of your own, as trust=mymodels"):
        trusted_modules({"trust": given})


def test_named_code() -> None:
    assert list(named_code({**OURS, "metrics": ["mymetrics.rbp"]}))[-2:] == [
        ("trainer.callbacks", "pytorch_lightning.callbacks.Timer"),
        ("metrics", "mymetrics.rbp"),
    ]

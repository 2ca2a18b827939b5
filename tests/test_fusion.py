"""A fusion by the real commands: parts, weights, a second fit, and what it may not start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from src.training.checkpoints import load_model
from tests.commands import ONE_THREAD, SMALL_DATA

if TYPE_CHECKING:
    from tests.conftest import Call

WORDS = (*SMALL_DATA, *ONE_THREAD, "tracking=none", "ks=[10]", "trainer.max_epochs=1")
USERS = torch.arange(200)


@pytest.fixture
def parts(call: Call) -> dict[str, Path]:
    """Two trained parts, each fitted again with validation."""
    folders = {}
    for name in ("ease", "itempop"):
        run = call(f"model={name}", *WORDS, "protocol.refit=true")
        assert run.status == 0, run.err
        folders[name] = run.folder
    return folders


def test_parts_side_by_side(call: Call, parts: dict[str, Path]) -> None:
    given = f"model.parts=[{','.join(map(str, parts.values()))}]"
    run = call("model=fusion", given, *WORDS, "protocol.refit=true")
    assert run.status == 0, run.err
    measured = json.loads((run.folder / "metrics.json").read_text())
    alone = [json.loads((f / "metrics.json").read_text())["val/ndcg@10"] for f in parts.values()]
    assert measured["val/ndcg@10"] >= max(alone)
    assert f"NDCG@10 {measured['fit/chosen_ndcg@10']:.4f} on validation" in run.out

    def load(folder: Path, name: str) -> torch.Tensor:
        return load_model(folder / "checkpoints" / name).score_all(USERS)

    # one checkpoint has all of it: the parts of before in one, those fitted again in the other
    best = load_model(run.folder / "checkpoints" / "best.ckpt")
    chosen = load_model(run.folder / "checkpoints" / "chosen.ckpt")
    torch.testing.assert_close(best.weights, chosen.weights)
    ease = load(parts["ease"], "best.ckpt")
    torch.testing.assert_close(best.branches[0].score_all(USERS), ease)  # type: ignore[index]
    before = load(parts["ease"], "chosen.ckpt")
    torch.testing.assert_close(chosen.branches[0].score_all(USERS), before)  # type: ignore[index]
    assert not torch.equal(ease, before)
    said = call(f"run={run.folder}", "user=7", "k=3", "format=csv", command="recommend")
    assert len(said.out.splitlines()) == 4, said.err


def test_a_part_of_another_split_is_refused(call: Call, parts: dict[str, Path]) -> None:
    given = f"model.pretrained.ease={parts['ease']}"
    run = call("model=fusion", f"+{given}", *WORDS, "data.split_seed=1", "data.split=ratio")
    assert run.status == 2
    assert run.err.startswith(f"error: {parts['ease']} was trained on other data or another split")


def test_it_is_refused_without_validation_or_parts(call: Call, parts: dict[str, Path]) -> None:
    run = call("model=fusion", *WORDS)
    assert run.err == "error: model=fusion needs trained models: model.parts=[RUN,RUN,...]\n"
    given = f"model.parts=[{parts['ease']}]"
    run = call("model=fusion", given, *WORDS, "protocol=ncf2017")
    assert run.err == ("error: fusion chooses on validation, which protocol=ncf2017 has not\n")

"""What runs are called."""

from __future__ import annotations

import pytest

from src.config.run_words import LONGEST, name_by_words


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "neumf seed 1"),
        (["model=neumf", "data=ml-100k", "seed=1", "trainer.threads=2"], "neumf seed 1"),
        (["tracking.required=false", "data.path=/a/b.csv", "resume=auto"], "neumf seed 1"),
        (["model.factors=16", "optimizer.lr=0.01"], "neumf factors=16 lr=0.01 seed 1"),
        (["experiment=fast", "loss=bpr", "+model.mine=2"], "neumf fast loss=bpr mine=2 seed 1"),
        (["experiment=ncf-ml-1m/neumf"], "neumf seed 1"),
        (["experiment=ncf-ml-1m/mf", "protocol=ratings"], "neumf mf protocol=ratings seed 1"),
        (["model.pretrained.gmf=outputs/runs/2026"], "neumf gmf=outputs/runs/20… seed 1"),
    ],
)
def test_what_differs_from_the_defaults(words: list[str], name: str) -> None:
    assert name_by_words("neumf", words, "1") == name


def test_a_name_is_short() -> None:
    name = name_by_words("gmf", [f"model.option{n}={n}" for n in range(20)], "0")
    assert name.startswith("gmf option0=0 option1=1 ")
    assert name.endswith(" … seed 0")
    assert len(name) <= LONGEST + len("gmf   seed 0")

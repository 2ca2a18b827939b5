"""`python -m src.paper`: its command line, and a table made end to end on a little data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from src.paper import arguments
from tests.commands import TINY, finish, start

if TYPE_CHECKING:
    from tests.conftest import Call

SMALLEST = (*TINY, "trainer.max_epochs=1", "model.factors=4")


def test_arguments() -> None:
    words = ["what=table2,figure4", "quick=true", "data=synthetic", "protocol=ncf2017"]
    assert arguments([*words, "seed=0,1", "--cfg", "job"]) == [
        "--cfg",
        "job",
        "what=[table2,figure4]",
        "quick=true",
        "datasets=[synthetic]",
        "protocols=ncf2017",
        'options=["seed=0,1"]',
    ]
    assert arguments(["what=[table2]", "data.path=a b"]) == [
        "what=[table2]",
        'options=["data.path=a b"]',
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("what=tabel2",), "what=tabel2: choose from table2, "),
        (("what=[]",), "what=[]: "),
        (("protocol=theirs",), "protocol=theirs: choose from leave-one-out, ncf2017, both"),
        (("data=ml1m",), "data=ml1m: choose from "),
        (("workers=0",), "workers=0: Input should be greater than or equal to 1"),
        (("what=table2", "models=ease"), "models=... is for what=rendle2020 and what=dacrema2021"),
        (("what=dacrema2021", "models=eas"), "models=eas: choose from "),
        (("out=page.pdf",), "out=page.pdf: the file has to end in .html"),
        (("fill=nowhere.md",), "fill=nowhere.md: no such file"),
        (("quick=perhaps",), "quick=perhaps: "),
        ((*TINY, "model.factor=8"), "no option model.factor; did you mean model.factors"),
    ],
)
def test_mistakes(words: tuple[str, ...], line: str, call: Call) -> None:
    finished = call(*words, command="paper")
    assert finished.status == 2
    assert finished.err.splitlines()[-1].startswith(f"error: {line}"), finished.err


def test_data_that_is_asked_for_alone_must_be_there(call: Call, tmp_path: Path) -> None:
    finished = call("data=ncf-pinterest", f"data.path={tmp_path}", command="paper")
    assert finished.status == 2
    assert "no pinterest-20.train.rating there" in finished.err


def test_pinterest_beside_others_is_left_out_where_it_is_not(call: Call, tmp_path: Path) -> None:
    words = ("data=synthetic,ncf-pinterest", *SMALLEST[1:], f"data.root={tmp_path}", "seed=0")
    finished = call("what=figure6", "run=false", *words, command="paper")
    assert finished.status == 0, finished.err
    assert (
        f"ncf-pinterest is left out: its files are not in {tmp_path}/ncf-pinterest" in finished.out
    )
    page = Path(finished.said("page"))
    assert page == tmp_path / "outputs" / "paper" / "paper-figure6.html"
    assert page.read_text().count("3 of 3 runs") == 2


def test_estimate(call: Call, tmp_path: Path) -> None:
    finished = call("what=table2", "estimate=true", *SMALLEST, "seed=0", command="paper")
    assert finished.status == 0, finished.err
    assert finished.out.count("parameters: ") == 4  # as many kinds
    line = r"\n4 runs: 0 there, 4 missing, which take about \d+ s, by some of their steps\n"
    assert re.search(line, finished.out)
    assert not (tmp_path / "outputs" / "jobs").exists()


@pytest.mark.slow
def test_a_table_end_to_end(tmp_path: Path) -> None:
    page = tmp_path / "mine.md"
    page.write_text("<!-- table2 -->\n<!-- /table2 -->\n")
    words = ("what=table2", "protocol=ncf2017", *SMALLEST, "seed=0", f"fill={page}")
    once = finish(start(tmp_path, *words, command="src.paper"))
    assert once.status == 0, once.err
    assert "python -m src.train -m experiment=paper/table2" in once.out
    out = Path(once.said("page"))
    assert out == tmp_path / "outputs" / "paper" / "paper-table2.html"
    assert "NeuMF, pre-trained" in out.read_text()
    # synthetic data were never published about
    assert "| NeuMF, from scratch | 4 |  | ." in page.read_text()
    assert "missing " not in once.out.replace("2 missing", "")
    again = finish(start(tmp_path, *words, command="src.paper"))
    assert "2 runs: 2 there, none missing" in again.out
    assert "src.train" not in again.out
    other_seed = (*words[:-2], "seed=0,1", "estimate=true")
    more = finish(start(tmp_path, *other_seed, command="src.paper"))
    assert "4 runs: 2 there, 2 missing, which take about " in more.out
    assert "as such runs took before" in more.out

"""`python -m src.judge`: lists of others beside our own runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from src.api import InteractionDataModule, MovieLens
from src.tracking.reading import Reader
from tests.commands import ONE_THREAD, SMALL_DATA, TINY

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

WORDS = (*SMALL_DATA, *ONE_THREAD, "ks=[1,10]")
# What a list alone doesn't tell: how long it took, and vectors of its items
OWN = re.compile(r"seconds|/ild-")


def metrics(folder: Path) -> dict[str, float]:
    measured = json.loads((folder / "metrics.json").read_text())
    return {k: v for k, v in measured.items() if k.startswith("test") and not OWN.search(k)}


def test_a_model_s_full_lists_have_the_model_s_metrics(
    call: Call, trained: TrainedHome, tmp_path: Path
) -> None:
    file = tmp_path / "neumf.parquet"
    words = ("user=all", "k=100", f"out={file}")
    asked = call(f"run={trained.run.folder}", *words, command="recommend", home=trained.home)
    assert asked.status == 0, asked.err
    judged = call(f"lists={file}", "name=outside", *WORDS, command="judge", home=trained.home)
    assert judged.status == 0, judged.err
    assert metrics(judged.folder) == metrics(trained.run.folder)
    assert "outside on synthetic" in judged.out
    assert "protocol leave-one-out: ranked among 20 candidates\n" in judged.out
    for name in ("per_user.parquet", "ranks.parquet"):
        own, others = (pd.read_parquet(run.folder / name) for run in (trained.run, judged))
        pd.testing.assert_frame_equal(own, others)
    provenance = json.loads((judged.folder / "provenance.json").read_text())
    theirs = json.loads((trained.run.folder / "provenance.json").read_text())
    assert provenance["data_fingerprint"] == theirs["data_fingerprint"]
    assert provenance["lists"] == str(file)
    assert (provenance["model"], provenance["split"]) == ("outside", "split by time")
    # and stands beside it in MLflow
    beside = {r.params["model.name"]: r for r in Reader(trained.uri).experiment("synthetic")}
    assert beside["outside"].status == "FINISHED"
    assert beside["outside"].metrics["test/ndcg@10"] == metrics(trained.run.folder)["test/ndcg@10"]


def test_a_report_puts_lists_beside_runs(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "popular.csv"
    file.write_text(
        "user,item,score\n" + "".join(f"{u},{i},{-i}\n" for u in range(9) for i in (3, 5))
    )
    assert call(*TINY, "model=itempop").status == 0
    assert call(f"lists={file}", *WORDS, command="judge").status == 0
    page = tmp_path / "report.html"
    tracking = f"tracking.uri=sqlite:///{tmp_path}/outputs/mlflow.db"
    report = call("experiment=synthetic", f"out={page}", tracking, command="report")
    assert report.status == 0, report.err
    assert "compared 2 runs" in report.out
    text = page.read_text()
    assert "itempop" in text
    assert "popular" in text


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "lists=FILE is needed: a table of user, item, and score or rank"),
        (("lists=/no.csv",), "lists=/no.csv: no such file"),
        (("lists=x.csv", "model=gmf"), "lists are judged, and nothing is trained: leave out model"),
        (("lists=x.csv", "separator=[]"), "separator=[]: Input should be a valid string"),
        (("lists=x.csv", "data.candidates=0"), "data.candidates=0: Input should be greater than"),
    ],
)
def test_mistakes_end_in_one_line(
    words: tuple[str, ...], line: str, call: Call, tmp_path: Path
) -> None:
    said = call(*WORDS, *words, command="judge")
    assert said.status == 2
    assert said.err.startswith(f"error: {line}"), said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "outputs" / "mlflow.db").exists()


@pytest.mark.slow
def test_lists_of_implicit(call: Call, shared_data: Path, tmp_path: Path) -> None:
    """Its item-item neighbours on MovieLens-100K stand far above popularity."""
    implicit = pytest.importorskip("implicit")
    from scipy.sparse import csr_matrix

    cache = tmp_path / "outputs" / "prepared"
    source = MovieLens("ml-100k", root=str(shared_data))
    train = InteractionDataModule(source, name="ml-100k", cache=cache).prepared.split.train
    users, items = train.user_ids[train.users], train.item_ids[train.items]
    matrix = csr_matrix((np.ones(len(train)), (users, items)))
    model = implicit.nearest_neighbours.CosineRecommender(K=100)
    model.fit(matrix, show_progress=False)
    every = np.unique(users)
    ids, scores = model.recommend(every, matrix[every], N=500)
    lists = pd.DataFrame(
        {"user": np.repeat(every, 500), "item": ids.ravel(), "score": scores.ravel()}
    )
    file = tmp_path / "implicit.parquet"
    lists[lists["item"] > 0].drop_duplicates(["user", "item"]).to_parquet(file)
    data = ("data=ml-100k", f"data.root={shared_data}", "tracking=none", *ONE_THREAD)
    judged = call(f"lists={file}", *data, command="judge")
    assert judged.status == 0, judged.err
    popular = call("model=itempop", *data)
    assert metrics(judged.folder)["test/ndcg@10"] > 1.2 * metrics(popular.folder)["test/ndcg@10"]

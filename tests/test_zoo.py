"""Every model by its name: the real command on a little data, from choice to evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from src.config.build import Component
from src.config.paths import CONF
from src.training.checkpoints import make_model, split_model_options
from tests.commands import MODELS, ONE_THREAD, SMALL_DATA, Finished

if TYPE_CHECKING:
    from tests.conftest import Call

QUICK = (*ONE_THREAD, "tracking=none", "ks=[10]", "trainer.max_epochs=1")
ON_RATINGS = ("svdpp",)
# What stands on other runs has a test of its own: tests/test_fusion.py
ALONE = [name for name in MODELS if name != "fusion"]


def metrics(run: Finished) -> dict[str, float]:
    return json.loads((run.folder / "metrics.json").read_text())


def without_times(measured: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in measured.items() if "second" not in k}


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings by 60 users of 40 items that follow two tastes."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.permutation(60 * 40)[:1500], 40)
    rated = 3 + 1.5 * np.where(users % 2 == items % 2, 1, -1) + rng.normal(0, 0.3, 1500)
    lines = [f"{u},{i},{r:.1f}" for u, i, r in zip(users, items, rated.clip(1, 5), strict=True)]
    file = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    file.write_text("user,item,rating\n" + "\n".join(lines))
    return file


def on(file: Path) -> tuple[str, ...]:
    return (
        "data=file",
        f"data.path={file}",
        "data.source.rating_column=rating",
        "data.candidates=10",
    )


@pytest.mark.parametrize("name", ALONE)
def test_every_model_is_trained_tested_saved_and_evaluated(
    name: str, call: Call, rated: Path
) -> None:
    data = on(rated) if name in ON_RATINGS else SMALL_DATA
    run = call(f"model={name}", *data, *QUICK)
    assert run.status == 0, run.err
    measured = metrics(run)
    assert 0 < measured["test/full/coverage@10"] <= 1
    assert (run.folder / "checkpoints" / "best.ckpt").is_file()
    again = call(f"run={run.folder}", *ONE_THREAD, command="evaluate")
    assert again.status == 0, again.err
    tested = {k: v for k, v in without_times(measured).items() if k.startswith("test/")}
    assert without_times(metrics(again)) == tested


@pytest.mark.parametrize("name", MODELS)
def test_every_option_in_a_model_s_file_reaches_the_model(name: str) -> None:
    text = (CONF / "model" / f"{name}.yaml").read_text()
    content = yaml.safe_load(text)
    options = content.get("model", content)
    aside = ("name", "_target_", "pretrained", "parts", "defaults")
    given = [key for key in options if key not in aside]
    of_start = {"alpha"} if name == "neumf" else set()
    given = [key for key in given if key not in of_start]
    own, starting = split_model_options(Component.read(options, "model"))
    assert set(given) == set(own.options)
    assert set(starting) == of_start
    assert make_model(own, 3, 4).n_users == 3


@pytest.mark.parametrize("words", ["model=mf loss=mse", "model=svdpp", "model=nmf loss=mse"])
def test_ratings_are_predicted(words: str, call: Call, rated: Path) -> None:
    options = ("protocol=ratings", *on(rated)[:3], "data.validation_ratio=0.1", *ONE_THREAD)
    longer = () if "nmf" in words else ("optimizer.lr=0.05", "data.batch_size=100")
    run = call(*words.split(), *options, *longer, "tracking=none", "trainer.max_epochs=40")
    assert run.status == 0, run.err
    measured = metrics(run)
    # the noise is .3, and 1.5 without knowing tastes
    assert measured["test/rmse"] < 0.8
    assert measured["test/mae"] <= measured["test/rmse"]
    assert "RMSE" in run.out


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_sparse_gradients_of_ratings(optimizer: str, call: Call, rated: Path) -> None:
    words = ("model=mf", "loss=mse", "model.sparse=true", f"optimizer={optimizer}")
    run = call(*words, *on(rated), *QUICK)
    assert run.status == 0, run.err


@pytest.mark.parametrize(
    "loss", ["bce", "bpr", "squared", "hinge", "warp", "softmax", "full-softmax"]
)
def test_every_loss_on_items_trains_any_model(loss: str, call: Call) -> None:
    run = call("model=mf", f"loss={loss}", *SMALL_DATA, *QUICK)
    assert run.status == 0, run.err


def test_data_without_ratings_has_none_to_predict(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "plays.csv"
    file.write_text("user,item\n" + "\n".join(f"{u},{i}" for u in range(5) for i in range(4)))
    run = call("model=svdpp", "data=file", f"data.path={file}", "data.candidates=all", *QUICK)
    assert run.status == 2
    assert "plays has no ratings to predict" in run.err


def test_full_ranking_judges_epochs_on_the_whole_catalogue(call: Call) -> None:
    run = call("model=itempop", "protocol=full-ranking", *SMALL_DATA[:-1], *QUICK)
    assert run.status == 0, run.err
    measured = metrics(run)
    assert "ranked among the whole catalogue" in run.out
    assert "test/coverage@10" in measured
    assert not [name for name in measured if name.startswith("test/full")]


def test_fitting_again_uses_validation_too(call: Call) -> None:
    words = ("model=itempop", *SMALL_DATA, *QUICK)
    once, again = call(*words), call(*words, "protocol.refit=true")
    assert again.status == 0, again.err
    assert "then trained again with it" in again.out
    first, second = metrics(once), metrics(again)
    assert second["refit/seconds"] > 0
    assert first["val/hr@10"] == second["val/hr@10"]
    # one interaction of each of the 200 users counts more
    assert second["test/full/popularity@10"] > first["test/full/popularity@10"]


def test_fitting_again_takes_as_many_epochs_as_were_best(call: Call) -> None:
    run = call("model=gmf", *SMALL_DATA, *QUICK, "trainer.max_epochs=3", "protocol.refit=true")
    assert run.status == 0, run.err
    assert f"{metrics(run)['fit/best_epoch']} epochs" in run.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=itempop loss=bpr", "itempop is fitted without gradients and makes no use of loss"),
        ("model=itempop optimizer=adam l2=0.1", "makes no use of optimizer, l2: leave that out"),
        ("model=itempop loss=mse", "makes no use of loss: leave that out"),
        (
            "model=mf model.sparse=true",
            "model.sparse=true needs optimizer=sgd or optimizer=adagrad",
        ),
        ("model=multvae loss=bce", "MultVAE learns from all items of a user together: take loss="),
        (
            "model=mf loss=full-softmax trainer.devices=2",
            "loss=full-softmax is trained by one process",
        ),
        ("model=sasrec loss=full-softmax", "SASRec learns from a positive and negatives at a time"),
        ("model=sasrec trainer.devices=2", "sasrec is trained by one process"),
        ("model=mf loss=none", "loss=none: mf is trained by gradients"),
        ("model=gmf protocol=ncf2017 protocol.refit=true", "this protocol has no validation part"),
        ("model=gmf protocol.refit=true scheduler=plateau", "can't repeat scheduler=plateau"),
        ("model=gmf protocol.monitor=val/rmse", "protocol.monitor=val/rmse is none of val/hr@10"),
    ],
)
def test_choices_that_do_not_fit_together(words: str, line: str, call: Call) -> None:
    finished = call(*words.split(), *SMALL_DATA, *QUICK)
    assert finished.status == 2
    assert line in finished.err
    assert len(finished.err.splitlines()) == 1

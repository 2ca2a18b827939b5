"""The public names, and that wrong uses of them are refused, or put right, but never silent."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from src import api
from src.api import (
    BCE,
    EASE,
    GMF,
    MLP,
    MSE,
    Adam,
    DataOptions,
    FittedModule,
    InteractionDataModule,
    Interactions,
    ItemKNN,
    Recommender,
    RecommenderModule,
    SVDpp,
    Synthetic,
    TrainerOptions,
    UserError,
    find_history,
    load_model,
    make_trainer,
)

USERS, ITEMS = 60, 90
SOURCE = Synthetic(n_users=USERS, n_items=ITEMS, n_interactions=1200, min_per_user=8)
BEST = Path("checkpoints", "best.ckpt")


@dataclass
class WithoutRatings:
    """The same interactions without ratings."""

    def fingerprint(self) -> str:
        return "without ratings"

    def read(self) -> Interactions:
        return replace(SOURCE.read(), ratings=None)


@pytest.fixture
def data(tmp_path: Path) -> InteractionDataModule:
    return make_data(tmp_path)


def make_data(folder: Path, **options: object) -> InteractionDataModule:
    chosen = DataOptions(**{"candidates": 20, **options})  # type: ignore[arg-type]
    return InteractionDataModule(SOURCE, chosen, cache=folder / "prepared")


def make_module(model: Recommender | None = None, **judging: object) -> RecommenderModule:
    return RecommenderModule(model or GMF(USERS, ITEMS), BCE(), **judging)  # type: ignore[arg-type]


def short_trainer(folder: Path, epochs: int = 1, **more: object) -> pl.Trainer:
    options = TrainerOptions(accelerator="cpu", max_epochs=epochs)
    return make_trainer(folder, options, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", api.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(api, name).__doc__


def test_stores_and_searches_are_not_loaded_for_a_name() -> None:
    code = "import sys, src.api; print(sys.modules.keys() & {'mlflow', 'optuna', 'jinja2'})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_by_configuration_it_is_the_same(tmp_path: Path, data: InteractionDataModule) -> None:
    words = ["model=gmf", "data=synthetic", "trainer=cpu", "ks=[10]", "data.candidates=20"]
    words += [f"data.source.n_users={USERS}", f"data.source.n_items={ITEMS}"]
    words += ["data.source.n_interactions=1200", "data.source.min_per_user=8"]
    words += ["trainer.max_epochs=1", f"data.cache={tmp_path}/prepared"]
    run = api.assemble(api.check_options(api.compose(words)), tmp_path / "configured")
    run.trainer.fit(run.module, datamodule=run.data)
    api.seed_everything(0, verbose=False)
    module = make_module()
    short_trainer(tmp_path / "written").fit(module, datamodule=data)
    assert module.judged == run.module.judged


# What the code does by itself


def test_the_model_observes_the_training_part(tmp_path: Path, data: InteractionDataModule) -> None:
    model = SVDpp(USERS, ITEMS)
    short_trainer(tmp_path).fit(make_module(model), datamodule=data)
    assert model.history.counts(torch.arange(USERS)).sum() == len(data.train)


def test_the_data_follow_the_module(tmp_path: Path, data: InteractionDataModule) -> None:
    # fitted models take the training part whole, ratings are seen only where they are predicted
    short_trainer(tmp_path / "whole").fit(FittedModule(ItemKNN(USERS, ITEMS)), data)
    assert data.whole
    ratings = RecommenderModule(GMF(USERS, ITEMS), MSE(), monitor="val/rmse")
    short_trainer(tmp_path / "rated", monitor="val/rmse").fit(ratings, datamodule=data)
    assert data.train.ratings is not None
    short_trainer(tmp_path / "pairs").fit(make_module(), datamodule=data)
    assert data.train.ratings is None
    assert not data.whole


def test_a_loaded_model_is_trained_further_with_dropout(
    tmp_path: Path, data: InteractionDataModule
) -> None:
    model = MLP(USERS, ITEMS, dropout=0.5)
    short_trainer(tmp_path).fit(make_module(model), datamodule=data)
    again = load_model(tmp_path / BEST)
    assert not again.training
    short_trainer(tmp_path / "further").fit(make_module(again), datamodule=data)
    assert again.training


def test_a_checkpoint_scores_the_same_and_is_judged_the_same(
    tmp_path: Path, data: InteractionDataModule
) -> None:
    module = make_module()
    trainer = short_trainer(tmp_path, epochs=3)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, ckpt_path="best", verbose=False)
    again = load_model(tmp_path / BEST, data.n_users, data.n_items)
    users = torch.arange(USERS)
    assert torch.equal(again.score_all(users), module.model.score_all(users))
    other = make_module(again)
    short_trainer(tmp_path / "judging").test(other, datamodule=data, verbose=False)
    names = [name for name in module.tested if "seconds" not in name]
    assert {n: other.tested[n] for n in names} == {n: module.tested[n] for n in names}


def test_a_plain_lightning_trainer_does_too(tmp_path: Path, data: InteractionDataModule) -> None:
    api.seed_everything(0, verbose=False)
    ours = make_module()
    short_trainer(tmp_path).fit(ours, datamodule=data)
    api.seed_everything(0, verbose=False)
    module = make_module()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    assert module.judged == ours.judged
    trainer.test(module, data, verbose=False)
    assert 0 < module.tested["test/ndcg@10"] < 1


# What it refuses


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (partial(GMF, factors=-2), "factors=-2"),
        (partial(MLP, dropout=1.0), "dropout=1.0"),
        (partial(MLP, layers=[8, 0]), r"layers=\[8, 0\]"),
        (partial(ItemKNN, topk=0), "topk=0"),
    ],
)
def test_a_model_out_of_range(model: partial[Recommender], words: str) -> None:
    with pytest.raises(UserError, match=words):
        model(USERS, ITEMS)


def test_an_option_out_of_range() -> None:
    with pytest.raises(UserError, match="l2=-1"):
        make_module(l2=-1.0)
    with pytest.raises(UserError, match=r"ks=\[0, 10\]"):
        make_module(ks=[0, 10])
    with pytest.raises(UserError, match="lr=-1"):
        Adam([torch.zeros(1)], lr=-1)


def test_a_module_of_the_other_kind() -> None:
    with pytest.raises(UserError, match="give it to FittedModule"):
        make_module(EASE(USERS, ITEMS))
    with pytest.raises(UserError, match="give it to RecommenderModule"):
        FittedModule(GMF(USERS, ITEMS))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="EASE predicts no ratings"):
        FittedModule(EASE(USERS, ITEMS), rated=True)


def test_a_loss_that_was_not_made() -> None:
    with pytest.raises(UserError, match=r"loss is the class BCE: make one, BCE\(\)"):
        RecommenderModule(GMF(USERS, ITEMS), BCE)  # type: ignore[arg-type]


def test_sizes_that_are_not_the_data_s(tmp_path: Path, data: InteractionDataModule) -> None:
    swapped = make_module(GMF(ITEMS, USERS))
    with pytest.raises(UserError, match="model is of 90 users and 60 items, but this data has 60"):
        short_trainer(tmp_path).fit(swapped, datamodule=data)
    short_trainer(tmp_path).fit(make_module(), datamodule=data)
    with pytest.raises(UserError, match="trained on 60 users and 90 items"):
        load_model(tmp_path / BEST, USERS + 1, ITEMS)


@pytest.mark.parametrize("monitor", ["test/ndcg@10", "val/ndcg@5", "val/rmse", "val/coverage@10"])
def test_a_monitor_that_there_is_not(
    tmp_path: Path, data: InteractionDataModule, monitor: str
) -> None:
    module, trainer = make_module(monitor=monitor), short_trainer(tmp_path, monitor=monitor)
    with pytest.raises(UserError, match=f"monitor={monitor} is none of val/hr@10"):
        trainer.fit(module, datamodule=data)


def test_a_monitor_of_validation_without_validation(tmp_path: Path) -> None:
    data = make_data(tmp_path, validation=False)
    with pytest.raises(UserError, match="monitor=val/ndcg@10 is none of test/hr@10"):
        short_trainer(tmp_path).fit(make_module(), datamodule=data)


def test_a_trainer_that_chooses_by_another_metric(
    tmp_path: Path, data: InteractionDataModule
) -> None:
    trainer = short_trainer(tmp_path, monitor="val/hr@10")
    with pytest.raises(UserError, match="chooses the epoch by val/hr@10, but the module's monitor"):
        trainer.fit(make_module(), datamodule=data)


def test_cutoffs_that_everything_is_within(tmp_path: Path, data: InteractionDataModule) -> None:
    with pytest.raises(UserError, match="with 21 items to rank every target is among the first 21"):
        short_trainer(tmp_path).fit(make_module(ks=[10, 21]), datamodule=data)


def test_ratings_to_be_learned_where_there_are_none(tmp_path: Path) -> None:
    data = InteractionDataModule(WithoutRatings(), DataOptions(candidates=20), cache=tmp_path)
    module = RecommenderModule(GMF(USERS, ITEMS), MSE(), monitor="val/rmse")
    with pytest.raises(UserError, match="has no ratings to predict"):
        short_trainer(tmp_path, monitor="val/rmse").fit(module, datamodule=data)


def test_no_data(tmp_path: Path, data: InteractionDataModule) -> None:
    with pytest.raises(UserError, match="needs an InteractionDataModule"):
        short_trainer(tmp_path).fit(make_module())
    with pytest.raises(UserError, match="needs an InteractionDataModule"):
        short_trainer(tmp_path).fit(make_module(), data.train_dataloader())


@pytest.mark.parametrize("kind", [GMF, SVDpp])
def test_an_untrained_model(
    tmp_path: Path, data: InteractionDataModule, kind: type[Recommender]
) -> None:
    module, trainer = make_module(kind(USERS, ITEMS)), short_trainer(tmp_path)
    for judge in (trainer.test, trainer.validate):
        with pytest.raises(UserError, match="the model is not trained"):
            judge(module, datamodule=data, verbose=False)
    module.model.trained = True  # elsewhere, as its owner says
    trainer.test(module, datamodule=data, verbose=False)


@pytest.mark.parametrize("kind", [EASE, ItemKNN])
def test_a_model_that_was_not_fitted(
    tmp_path: Path, data: InteractionDataModule, kind: type[api.Fitted]
) -> None:
    with pytest.raises(UserError, match="the model is not trained"):
        short_trainer(tmp_path).test(FittedModule(kind(USERS, ITEMS)), datamodule=data)


def test_testing_another_epoch_than_the_chosen_one(
    tmp_path: Path, data: InteractionDataModule
) -> None:
    api.seed_everything(0, verbose=False)
    module = RecommenderModule(GMF(USERS, ITEMS), BCE(), partial(Adam, lr=0.05))
    trainer = short_trainer(tmp_path, epochs=30)
    trainer.fit(module, datamodule=data)
    values = [epoch["val/ndcg@10"] for epoch in find_history(trainer).epochs]
    assert values[-1] < max(values)  # or there is nothing to mistake
    with pytest.raises(UserError, match="weights of the last epoch"):
        trainer.test(module, datamodule=data, verbose=False)
    trainer.validate(module, datamodule=data, ckpt_path="best", verbose=False)
    assert module.judged["val/ndcg@10"] == max(values)
    trainer.validate(module, datamodule=data, ckpt_path="last", verbose=False)
    assert module.judged["val/ndcg@10"] == values[-1]


def test_data_whose_test_part_was_trained_on(tmp_path: Path, data: InteractionDataModule) -> None:
    module, trainer = make_module(), short_trainer(tmp_path)
    trainer.fit(module, datamodule=data)
    other = make_data(tmp_path, split="ratio")
    with pytest.raises(UserError, match="trained on another training part"):
        trainer.test(module, datamodule=other, verbose=False)
    # other candidates are no other split
    trainer.test(module, datamodule=make_data(tmp_path, candidates="all"), verbose=False)


def test_training_on_with_a_trainer_that_is_done(
    tmp_path: Path, data: InteractionDataModule
) -> None:
    module, trainer = make_module(), short_trainer(tmp_path)
    trainer.fit(module, datamodule=data)
    with pytest.raises(UserError, match="has trained its 1 epochs already"):
        trainer.fit(module, datamodule=data)


@pytest.mark.parametrize("name", ["limit_test_batches", "limit_val_batches", "fast_dev_run"])
def test_judging_some_of_the_targets(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: every target has to be ranked"):
        make_trainer(tmp_path, TrainerOptions(more={name: 1}))


def test_judging_some_of_the_targets_with_a_plain_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: InteractionDataModule
) -> None:
    monkeypatch.setattr("src.data.targets.PAIRS_PER_BATCH", {"cpu": 21 * 10})  # six batches
    module = make_module()
    module.model.trained = True
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, limit_test_batches=2
    )
    with pytest.raises(UserError, match="only 20 of 60 targets were ranked"):
        trainer.test(module, datamodule=data, verbose=False)

"""EASE and SLIM: the contract, closed forms, and other people's solvers."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import torch
from sklearn.linear_model import ElasticNet

from src.data.preparing import PreparationOptions, prepare
from src.data.sources.released import ReleasedNCF
from src.data.sparse import interaction_matrix
from src.data.targets import make_targets
from src.errors import UserError
from src.evaluation.metrics import metrics_at, ranks
from src.models.linear import EASE, SLIM, require_memory
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.commands import ONE_THREAD, SMALL_DATA
from tests.data.fakes import interactions

if TYPE_CHECKING:
    from tests.conftest import Call


class TestEASE(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> EASE:
        return EASE(n_users, n_items, regularization=1.0)


class TestEASEWithEveryOption(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> EASE:
        return EASE(
            n_users,
            n_items,
            regularization=1.0,
            dropout=0.2,
            diagonal=0.1,
            user_power=0.5,
            gram_power=0.1,
            score_power=0.2,
        )


class TestSLIM(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> SLIM:
        return SLIM(n_users, n_items, l1=0.01, regularization=1.0, penalty=1.0, iterations=20)


rng = np.random.default_rng(0)
CHOSEN = rng.random((40, 12)) < rng.random(12) * 0.6  # some items are more popular
TRAIN = interactions([np.flatnonzero(row).tolist() for row in CHOSEN], 12)


def test_ease_is_a_ridge_regression_on_all_other_items() -> None:
    model = EASE(40, 12, regularization=2.5)
    model.fit(TRAIN)
    x = CHOSEN.astype(float)
    for item in range(12):
        others = np.delete(x, item, axis=1)
        expected = np.linalg.solve(others.T @ others + 2.5 * np.eye(11), others.T @ x[:, item])
        found = model.item_weights[:, item].numpy()
        assert found[item] == 0
        np.testing.assert_allclose(np.delete(found, item), expected, atol=1e-5)


def solve_ridge(x: np.ndarray, item: int, ridge: np.ndarray) -> np.ndarray:
    """Regress item on all others, by a ridge [n_items]: its weights [n_items], 0 of its own."""
    others = np.delete(np.arange(x.shape[1]), item)
    normal = x[:, others].T @ x[:, others] + np.diag(ridge[others])
    weights = np.zeros(x.shape[1])
    weights[others] = np.linalg.solve(normal, x[:, others].T @ x[:, item])
    return weights


def test_ease_with_dropout_regularizes_popular_items_more() -> None:
    model = EASE(40, 12, regularization=2.5, dropout=0.2)
    model.fit(TRAIN)
    x = CHOSEN.astype(float)
    ridge = 2.5 + 0.25 * x.sum(0)  # .2 / .8
    for item in range(12):
        expected = solve_ridge(x, item, ridge)
        np.testing.assert_allclose(model.item_weights[:, item].numpy(), expected, atol=1e-5)


def test_ease_with_a_relaxed_diagonal_holds_back_only_where_it_must() -> None:
    model = EASE(40, 12, regularization=20.0, diagonal=0.3)
    model.fit(TRAIN)
    x = CHOSEN.astype(float)
    free = np.linalg.solve(x.T @ x + 20 * np.eye(12), x.T @ x)
    held = np.diag(free) > 0.3
    assert 0 < held.sum() < 12
    for item in range(12):
        expected = free[:, item]
        if held[item]:
            # what the item itself explains, .3 of it, is left to nobody else
            expected = 0.7 * solve_ridge(x, item, np.full(12, 20.0))
            expected[item] = 0.3
        np.testing.assert_allclose(model.item_weights[:, item].numpy(), expected, atol=1e-5)


def test_powers_of_ease_weight_users_and_items_by_their_numbers() -> None:
    model = EASE(40, 12, 2.5, user_power=0.5, gram_power=0.1, score_power=0.2)
    model.fit(TRAIN)
    x = CHOSEN.astype(float)
    # users and items without any count as if they had one
    activity, popularity = x.sum(1).clip(1), x.sum(0).clip(1)
    users = (activity / activity.mean()) ** -0.5
    items = popularity / popularity.mean()
    weighted = users[:, None] ** 0.5 * x * items**-0.1
    for item in range(12):
        expected = solve_ridge(weighted, item, np.full(12, 2.5)) * items[item] ** -0.2
        np.testing.assert_allclose(model.item_weights[:, item].numpy(), expected, atol=1e-5)
    # what is folded in, and what is similar, are of the same weights
    found = model.fold_in(torch.tensor([1, 3]))
    torch.testing.assert_close(found, model.similar_to(1) + model.similar_to(3))


@pytest.mark.parametrize(("l1", "regularization"), [(1.0, 3.0), (0.0, 0.5), (3.0, 10.0)])
def test_slim_is_an_elastic_net_on_all_other_items(l1: float, regularization: float) -> None:
    model = SLIM(40, 12, l1, regularization, penalty=20.0, iterations=400)
    found = model.compute_item_weights(interaction_matrix(TRAIN)).toarray()
    x = CHOSEN.astype(float)
    for item in range(12):
        others = x.copy()
        others[:, item] = 0
        # sklearn divides the squared error by the number of rows
        strength = (l1 + regularization) / len(x)
        net = ElasticNet(
            alpha=strength,
            l1_ratio=l1 / (l1 + regularization),
            positive=True,
            fit_intercept=False,
            tol=1e-10,
            max_iter=100_000,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that l1_ratio=0 has better solvers
            net.fit(others, x[:, item])
        np.testing.assert_allclose(found[item], net.coef_, atol=1e-5)
    if l1:
        assert 0 < (found > 0).mean() < 0.8


def test_slim_scores_by_its_weights() -> None:
    model = SLIM(40, 12, l1=1.0, regularization=3.0, penalty=20.0)
    model.fit(TRAIN)
    weights = model.compute_item_weights(interaction_matrix(TRAIN)).toarray()
    found = model.score_all(torch.tensor([7, 0])).numpy()
    np.testing.assert_allclose(found, (CHOSEN @ weights.T)[[7, 0]], rtol=1e-5)


def test_a_catalogue_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    message = "model=ease: 3 matrices of 12 x 12 takes 0 MB .*use model=itemknn"
    with pytest.raises(UserError, match=message):
        EASE(40, 12).fit(TRAIN)
    with pytest.raises(UserError, match="model=slim: 6 matrices of 12 x 12"):
        SLIM(40, 12).fit(TRAIN)


@pytest.fixture
def only_10_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10_000))


@pytest.mark.usefixtures("only_10_kb")
def test_what_does_not_fit_is_refused() -> None:
    require_memory(10_000, "a table", "take less")
    with pytest.raises(UserError, match=r"a table takes 2\.5 GB of memory and 0 MB are free: take"):
        require_memory(2_500_000_000, "a table", "take less")


@pytest.mark.usefixtures("only_10_kb")
@pytest.mark.parametrize("name", ["ease", "slim"])
def test_dense_item_matrices_are_refused_in_one_line(name: str, call: Call) -> None:
    run = call(f"model={name}", *SMALL_DATA, *ONE_THREAD, "tracking=none")
    assert run.status == 2
    assert f"model={name}" in run.err
    assert "of 100 x 100 takes" in run.err
    assert "use model=itemknn, or drop rare items with data.k_core" in run.err


def test_too_little_regularization_is_the_users_mistake() -> None:
    alike = interactions([list(range(200))] * 3000, 200)
    with pytest.raises(UserError, match=r"model.regularization=1e-07 is too small"):
        EASE(3000, 200, regularization=1e-7).fit(alike)


@pytest.mark.slow
def test_ease_gives_the_known_scores(shared_data: Path, tmp_path: Path) -> None:
    """Compare with .7192 and .4494 of Ferrari Dacrema et al. 2021 on the released split."""
    source = ReleasedNCF("ml-1m", "", path=str(shared_data / "ncf-ml-1m"))
    options = PreparationOptions("leave-one-out", False, 0.1, 0.1, "released", None, 1, 0)
    prepared = prepare("ncf-ml-1m", source, options, tmp_path)
    model = EASE(prepared.n_users, prepared.n_items, regularization=1320.0)
    model.fit(prepared.split.train)
    found = []
    for users, items in make_targets(prepared, "test", torch.device("cpu")):
        scores = model(users, items)
        found.append(ranks(scores[:, 0], scores[:, 1:], items[:, 1:] == items[:, :1]))
    metrics = metrics_at(torch.cat(found), [10])
    assert metrics["hr@10"].mean().item() == pytest.approx(0.7192, abs=1e-4)
    assert metrics["ndcg@10"].mean().item() == pytest.approx(0.4494, abs=1e-4)

"""PureSVD and NMF, of interactions and of ratings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import non_negative_factorization

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix
from src.errors import UserError
from src.models.factorization import NMF, PureSVD
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from tests.data.fakes import interactions


class TestPureSVD(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> PureSVD:
        return PureSVD(n_users, n_items, factors=2)


class TestPureSVDWithMoreFactorsThanThereAre(RecommenderContract):
    learns = False  # it remembers the training part, and no more

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> PureSVD:
        return PureSVD(n_users, n_items, factors=50)


class TestNMF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NMF:
        return NMF(n_users, n_items, factors=3, iterations=200)


class TestNMFWithMoreFactorsThanThereAre(RecommenderContract):
    learns = False

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NMF:
        return NMF(n_users, n_items, factors=20, init="nndsvda")


class TestNMFByMultiplicativeUpdates(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NMF:
        return NMF(
            n_users, n_items, factors=3, iterations=200, solver="mu", beta_loss="kullback-leibler"
        )


rng = np.random.default_rng(0)
CHOSEN = rng.random((30, 12)) < 0.4
CHOSEN[np.arange(30), np.arange(30) % 12] = True  # nobody and nothing is left out
TRAIN = interactions([np.flatnonzero(row).tolist() for row in CHOSEN], 12)


def rated(ratings: np.ndarray) -> Interactions:
    return replace(TRAIN, ratings=ratings.astype(np.float32))


def test_pure_svd_projects_on_the_items_singular_vectors() -> None:
    torch.manual_seed(0)
    model = PureSVD(30, 12, factors=4)
    model.fit(TRAIN)
    _, _, vectors = np.linalg.svd(CHOSEN.astype(float))
    expected = CHOSEN @ vectors[:4].T @ vectors[:4]
    found = model.score_all(torch.arange(30)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_nmf_is_not_negative_and_near_the_interactions() -> None:
    torch.manual_seed(0)
    model = NMF(30, 12, factors=6, iterations=300)
    model.fit(TRAIN)
    assert (model.user_factors >= 0).all()
    assert (model.item_factors >= 0).all()
    matrix = interaction_matrix(TRAIN)
    users, items, _ = non_negative_factorization(
        matrix, n_components=6, max_iter=300, init="random", random_state=3
    )

    def distance(scores: np.ndarray) -> float:
        return float(np.square(CHOSEN - scores).sum())

    found = distance(model.score_all(torch.arange(30)).numpy())
    assert found == pytest.approx(distance(users @ items), rel=0.1)
    assert found < 0.5 * distance(np.full((30, 12), CHOSEN.mean()))


def test_nmf_of_ratings_takes_the_step_of_luo_et_al() -> None:
    ratings = np.random.default_rng(1).integers(1, 6, len(TRAIN))
    torch.manual_seed(0)
    model = NMF(30, 12, factors=3, iterations=1, regularization=0.2)
    model.fit(rated(ratings))
    # one row at a time, from the same random numbers: users first, then items with the new users
    torch.manual_seed(0)
    p, q = torch.rand(30, 3).double().numpy(), torch.rand(12, 3).double().numpy()
    matrix = np.zeros((30, 12))
    matrix[TRAIN.users, TRAIN.items] = ratings
    for user in range(30):
        mine = CHOSEN[user]
        up = matrix[user, mine] @ q[mine]
        down = (q[mine] @ p[user]) @ q[mine] + mine.sum() * 0.2 * p[user]
        p[user] *= up / down
    for item in range(12):
        mine = CHOSEN[:, item]
        up = matrix[mine, item] @ p[mine]
        down = (p[mine] @ q[item]) @ p[mine] + mine.sum() * 0.2 * q[item]
        q[item] *= up / down
    np.testing.assert_allclose(model.user_factors.numpy(), p, rtol=1e-5)
    np.testing.assert_allclose(model.item_factors.numpy(), q, rtol=1e-5)


def test_nmf_of_ratings_finds_a_factorization_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    truth = (1 + random.random((30, 1))) * (1 + random.random((1, 12)))
    ratings = truth[TRAIN.users, TRAIN.items]
    found = []
    for chunk in (1 << 20, 7):
        monkeypatch.setattr("src.models.factorization.RATINGS_PER_CHUNK", chunk)
        torch.manual_seed(0)
        model = NMF(30, 12, factors=1, iterations=200, regularization=0.0)
        model.fit(rated(ratings))
        found.append(model.score_all(torch.arange(30)))
    np.testing.assert_allclose(found[0].numpy(), truth, rtol=1e-3)
    torch.testing.assert_close(found[1], found[0])


def test_nmf_predicts_the_mean_for_those_never_rated() -> None:
    data = interactions([[0, 1], [1]], 3)
    train = Interactions(
        data.users,
        data.items,
        np.arange(3),
        data.item_ids,
        ratings=np.array([5, 4, 3], np.float32),
    )
    torch.manual_seed(0)
    model = NMF(3, 3, factors=2, iterations=300, regularization=0.0)
    model.fit(train)
    scores = model.score_all(torch.arange(3))
    assert scores[0, 1].item() == pytest.approx(4, abs=0.01)
    assert scores[:, 2].tolist() == [4, 4, 4]
    assert scores[2].tolist() == [4, 4, 4]


def test_nmf_of_movielens_is_as_near_as_surprise(shared_data: Path) -> None:
    """Compare with an RMSE of .963, reported by Surprise for MovieLens-100K and equal options."""
    table = np.loadtxt(shared_data / "ml-100k" / "u.data", dtype=np.int32)
    users, items, ratings = table[:, 0] - 1, table[:, 1] - 1, table[:, 2].astype(np.float32)
    everything = Interactions(users, items, np.arange(943), np.arange(1682), ratings)
    shuffled = np.random.default_rng(0).permutation(len(table))
    test = everything.take(shuffled[:20_000])
    torch.manual_seed(0)
    model = NMF(943, 1682, factors=15, iterations=50, regularization=0.06)
    model.fit(everything.take(shuffled[20_000:]))
    scores = model(torch.from_numpy(test.users).long(), torch.from_numpy(test.items).long())
    error = (scores.clamp(1, 5) - torch.from_numpy(test.ratings)).square().mean().sqrt().item()
    assert error == pytest.approx(0.963, abs=0.005)


def test_a_solver_that_cannot_minimize_this_loss() -> None:
    with pytest.raises(UserError, match=r"model.solver=cd .*kullback-leibler: use mu"):
        NMF(3, 3, solver="cd", beta_loss="kullback-leibler")


def test_item_vectors_are_the_items_factors() -> None:
    model = PureSVD(30, 12, factors=4)
    model.fit(TRAIN)
    assert model.item_vectors().shape == (12, 4)

"""Factorizations of the whole interaction matrix: a score is user factors . item factors."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import embedding_bag
from tqdm import tqdm

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix
from src.errors import UserError
from src.models.fitted import Fitted
from src.models.recommender import Factors

# Ratings whose factors are multiplied at a time, to bound the memory that takes
RATINGS_PER_CHUNK = 1 << 20

FOLD_IN_ITERATIONS = 200


class Factorization(Fitted):
    """A model that scores by dot products of factors, which a subclass fits."""

    user_factors: Tensor
    """float [n_users, factors]"""
    item_factors: Tensor
    """float [n_items, factors]"""

    def __init__(self, n_users: int, n_items: int, factors: int) -> None:
        super().__init__(n_users, n_items)
        self.factors = factors
        self.store(
            user_factors=torch.zeros(n_users, factors), item_factors=torch.zeros(n_items, factors)
        )

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        return (self.user_factors[users] * self.item_factors[items]).sum(-1)

    def score_all(self, users: Tensor) -> Tensor:
        return self.user_factors[users] @ self.item_factors.t()

    def item_vectors(self) -> Tensor:
        return self.item_factors


class PureSVD(Factorization):
    """Truncated singular value decomposition with unseen pairs as 0 (Cremonesi et al. 2010).

    The singular values go with the users, so that a score is X_u V V^T (their equation 7). A small
    matrix has fewer factors than asked for.
    """

    def __init__(self, n_users: int, n_items: int, factors: Factors = 50) -> None:
        super().__init__(n_users, n_items, min(factors, n_users, n_items))

    def fit(self, train: Interactions) -> None:
        from sklearn.utils.extmath import randomized_svd

        users, values, items = randomized_svd(
            interaction_matrix(train), self.factors, random_state=draw_seed()
        )
        self.store(
            user_factors=torch.from_numpy(users * values).float(),
            item_factors=torch.from_numpy(items.T).float().contiguous(),
        )

    def fold_in(self, items: Tensor) -> Tensor:
        return self.item_factors @ self.item_factors[items].sum(0)


class RatingsByRow(NamedTuple):
    """The ratings of rows (users, or items) for columns (items, or users), row by row."""

    rows: Tensor
    """int64 [n], sorted."""
    columns: Tensor
    """int64 [n]"""
    ratings: Tensor
    """float [n]"""
    counts: Tensor
    """int64 [n_rows]"""

    @classmethod
    def sort(cls, n_rows: int, rows: Tensor, columns: Tensor, ratings: Tensor) -> RatingsByRow:
        """Sort ratings [n] of `rows` [n] for `columns` [n] by row, in stable order."""
        order = rows.argsort(stable=True)
        counts = torch.bincount(rows, minlength=n_rows)
        return cls(rows[order], columns[order], ratings[order], counts)

    def update(self, factors: Tensor, fixed: Tensor, regularization: float) -> None:
        """Update the rows' `factors` for the columns' `fixed` ones (Luo et al. 2014, equation 12).

        Each factor is multiplied by the ratio of two sums of the columns' factors: one weighted by
        the ratings, one by the estimates.
        """
        chunks = (part.split(RATINGS_PER_CHUNK) for part in (self.rows, self.columns))
        estimates = torch.cat(
            [
                (factors.index_select(0, row) * fixed.index_select(0, column)).sum(1)
                for row, column in zip(*chunks, strict=True)
            ]
        )
        wanted, estimated = (
            self._sum_by_row(fixed, self.ratings),
            self._sum_by_row(fixed, estimates),
        )
        estimated += regularization * self.counts[:, None] * factors
        # rows without ratings are 0 / 0
        factors.mul_(wanted.div_(estimated.clamp_(min=torch.finfo().tiny)))

    def _sum_by_row(self, fixed: Tensor, weights: Tensor) -> Tensor:
        """Sum the columns' factors `fixed`, times `weights` [n], by row: [n_rows, factors]."""
        starts = self.counts.cumsum(0) - self.counts
        return embedding_bag(self.columns, fixed, starts, mode="sum", per_sample_weights=weights)


class NMF(Factorization):
    """Non-negative matrix factorization.

    For interactions all pairs count, the missing ones as zeros (Lee and Seung 2001). Where ratings
    are to be predicted, only the observed pairs count (Luo et al. 2014), and users and items
    without ratings get the mean of all ratings.
    """

    rates = True

    mean: Tensor
    """float: the score of users and items without ratings; 0 unless ratings are predicted."""
    seen_users: Tensor
    """bool [n_users]"""
    seen_items: Tensor
    """bool [n_items]"""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 15,
        iterations: Annotated[int, Ge(1)] = 50,
        regularization: Annotated[float, Ge(0)] = 0.06,
        solver: Literal["cd", "mu"] = "cd",
        beta_loss: Literal["frobenius", "kullback-leibler"] = "frobenius",
        init: Literal["random", "nndsvda"] = "random",
    ) -> None:
        """Use `regularization` for ratings; `solver`, `beta_loss` and `init` for interactions."""
        if solver == "cd" and beta_loss != "frobenius":
            raise UserError(f"model.solver=cd can't minimize model.beta_loss={beta_loss}: use mu")
        super().__init__(n_users, n_items, factors)
        self.iterations, self.regularization = iterations, regularization
        self.solver, self.beta_loss, self.init = solver, beta_loss, init
        self.store(
            mean=torch.zeros(()),
            seen_users=torch.zeros(n_users, dtype=torch.bool),
            seen_items=torch.zeros(n_items, dtype=torch.bool),
        )

    def fit(self, train: Interactions) -> None:
        if train.ratings is None:
            self._fit_interactions(train)
        else:
            self._fit_ratings(train, torch.from_numpy(train.ratings).float())

    def _fit_interactions(self, train: Interactions) -> None:
        import warnings

        from sklearn.decomposition import NMF as Solver  # noqa: N811
        from sklearn.exceptions import ConvergenceWarning

        matrix = interaction_matrix(train)
        solver = Solver(
            self.factors,
            init=self.init if self.factors <= min(matrix.shape) else "random",
            solver=self.solver,
            beta_loss=self.beta_loss,
            max_iter=self.iterations,
            random_state=draw_seed(),
        )
        with warnings.catch_warnings():
            # to stop early is the user's choice
            warnings.simplefilter("ignore", ConvergenceWarning)
            users = solver.fit_transform(matrix)
        self.store(
            user_factors=torch.from_numpy(users).float(),
            item_factors=torch.from_numpy(solver.components_.T).float().contiguous(),
            seen_users=torch.ones(self.n_users, dtype=torch.bool),
            seen_items=torch.ones(self.n_items, dtype=torch.bool),
        )

    def fold_in(self, items: Tensor) -> Tensor:
        if self.mean:
            raise UserError("NMF of ratings needs ratings of somebody who was not in training")
        import numpy as np
        from sklearn.decomposition import non_negative_factorization

        row = np.zeros((1, self.n_items), np.float32)
        row[0, items.numpy()] = 1
        factors, *_ = non_negative_factorization(
            row,
            H=self.item_factors.t().numpy(),
            n_components=self.factors,
            update_H=False,
            solver=self.solver,
            beta_loss=self.beta_loss,
            max_iter=FOLD_IN_ITERATIONS,
        )
        return self.item_factors @ torch.from_numpy(factors[0]).float()

    def _fit_ratings(self, train: Interactions, ratings: Tensor) -> None:
        """Update users and items in turn, by factors that never raise the error."""
        users = torch.from_numpy(train.users).long()
        items = torch.from_numpy(train.items).long()
        of_users = RatingsByRow.sort(self.n_users, users, items, ratings)
        of_items = RatingsByRow.sort(self.n_items, items, users, ratings)
        # uniform in [0, 1), as in Surprise
        p, q = torch.rand(self.n_users, self.factors), torch.rand(self.n_items, self.factors)
        for _ in tqdm(range(self.iterations), "nmf", disable=None, leave=False):
            of_users.update(p, q, self.regularization)
            of_items.update(q, p, self.regularization)
        self.store(
            user_factors=p,
            item_factors=q,
            mean=ratings.mean(),
            seen_users=of_users.counts > 0,
            seen_items=of_items.counts > 0,
        )

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        seen = self.seen_users[users] & self.seen_items[items]
        return torch.where(seen, super().score(users, items), self.mean)

    def score_all(self, users: Tensor) -> Tensor:
        seen = self.seen_users[users, None] & self.seen_items
        return torch.where(seen, super().score_all(users), self.mean)


def draw_seed() -> int:
    """Draw a seed for scikit-learn from torch's random numbers."""
    return int(torch.randint(1 << 31, ()))

"""Implicit alternating least squares (Hu et al. 2008), as revisited by Rendle et al. 2022."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.nn.functional import embedding
from tqdm import tqdm

from src.data.interactions import Interactions
from src.models.factorization import Factorization
from src.models.history import History
from src.models.recommender import Factors, Power

# Floats in a batch of padded histories, or of the matrices made from them
FLOATS_PER_BATCH = 1 << 20


class IALS(Factorization):
    """Implicit ALS: exact least squares for users and items in turn; a `fit` is one sweep.

    Minimizes, over all pairs and with s a user's and an item's factors multiplied,

        sum over observed pairs of (s - 1)^2 + unobserved_weight * sum over all pairs of s^2
        + regularization * sum over users and items of f^nu * |factors|^2

    where f is a user's number of interactions + unobserved_weight * n_items, and for items likewise
    (Rendle et al. 2022, section 3).

    With an `activity_power` e, user u's unobserved pairs weigh unobserved_weight * (n_u / mean)^e
    there and in f, n_u the user's number of interactions, or 1: who has seen more of what there is
    has left out more by choice.
    """

    iterative = True

    mean_activity: Tensor
    """float: the mean number of interactions of a user; there only with an `activity_power`."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 192,
        regularization: Annotated[float, Gt(0)] = 0.007,
        unobserved_weight: Annotated[float, Gt(0)] = 0.3,
        nu: Annotated[float, Ge(0)] = 1.0,
        init_std: Annotated[float, Gt(0)] = 0.1,
        activity_power: Power = 0.0,
    ) -> None:
        super().__init__(n_users, n_items, factors)
        self.regularization, self.unobserved_weight, self.nu = regularization, unobserved_weight, nu
        self.activity_power = activity_power
        if activity_power:
            self.store(mean_activity=torch.ones(()))
        # scaled so that the factors' length doesn't depend on their number
        self.store(item_factors=torch.randn(n_items, factors) * (init_std / factors**0.5))

    def fit(self, train: Interactions) -> None:
        by_user, by_item = History(self.n_users), History(self.n_items)
        by_user.observe(train)
        by_item.observe(transpose(train))
        if self.activity_power:
            self.store(mean_activity=torch.tensor(len(train) / self.n_users))
        weights, alike = self._weight_users(by_user), torch.ones(self.n_items)
        users = self._solve("users", by_user, self.item_factors.cpu(), weights, alike)
        items = self._solve("items", by_item, users, alike, weights)
        self.store(user_factors=users, item_factors=items)

    def fold_in(self, items: Tensor) -> Tensor:
        history = History(1)
        history.store(starts=torch.tensor([0, len(items)]), items=items.cpu())
        fixed, alike = self.item_factors.cpu(), torch.ones(self.n_items)
        weights = self._weight_users(history)
        return fixed @ self._solve("user", history, fixed, weights, alike)[0]

    def _weight_users(self, history: History) -> Tensor:
        """Return how much unobserved pairs of each row of `history` weigh, 1 on average users."""
        lengths = history.starts.diff().clamp(min=1)
        if not self.activity_power:
            return torch.ones(len(lengths))
        return (lengths / self.mean_activity.cpu()).pow(self.activity_power)

    def _solve(
        self, name: str, history: History, fixed: Tensor, weights: Tensor, fixed_weights: Tensor
    ) -> Tensor:
        """Find the best factors of each row of `history` for the `fixed` ones of its columns.

        An unobserved pair's weight is `unobserved_weight` times that of its row, `weights`
        [n_rows], and that of its column, `fixed_weights` [n_fixed].
        """
        n_fixed, width = fixed.shape
        of_all = self.unobserved_weight * (fixed.t() @ (fixed * fixed_weights[:, None]))
        lengths = history.starts.diff()
        ridge = lengths + weights * (self.unobserved_weight * fixed_weights.double().sum().item())
        ridge = self.regularization * ridge.pow(self.nu)
        padded = torch.cat([fixed, fixed.new_zeros(1, width)])
        solved = fixed.new_empty(len(lengths), width)
        work = list(batch_rows(lengths, width))
        for rows, longest in tqdm(work, name, disable=None, leave=False):
            place = torch.arange(longest)
            absent = place >= lengths[rows, None]
            places = (history.starts[rows, None] + place).masked_fill_(absent, 0)
            vectors = embedding(history.items[places].masked_fill_(absent, n_fixed), padded)
            normal = torch.baddbmm(of_all * weights[rows, None, None], vectors.mT, vectors)
            normal.diagonal(dim1=1, dim2=2).add_(ridge[rows, None])
            factor = torch.linalg.cholesky(normal)
            solved[rows] = torch.cholesky_solve(vectors.sum(1)[:, :, None], factor)[:, :, 0]
        return solved


def transpose(data: Interactions) -> Interactions:
    """Exchange users and items."""
    return Interactions(data.items, data.users, data.item_ids, data.user_ids)


def batch_rows(lengths: Tensor, width: int) -> Iterator[tuple[Tensor, int]]:
    """Yield batches of rows of similar lengths, longest first, and each batch's longest length."""
    lengths, order = lengths.sort(descending=True, stable=True)
    start = 0
    while start < len(order):
        longest = int(lengths[start])
        size = max(1, FLOATS_PER_BATCH // (max(longest, width) * width))
        yield order[start : start + size], longest
        start += size

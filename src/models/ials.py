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
from src.models.recommender import Factors

# Floats in a batch of padded histories, or of the matrices made from them
FLOATS_PER_BATCH = 1 << 20


class IALS(Factorization):
    """Implicit ALS: exact least squares for users and items in turn; a `fit` is one sweep.

    Minimizes, over all pairs and with s a user's and an item's factors multiplied,

        sum over observed pairs of (s - 1)^2 + unobserved_weight * sum over all pairs of s^2
        + regularization * sum over users and items of f^nu * |factors|^2

    where f is a user's number of interactions + unobserved_weight * n_items, and for items likewise
    (Rendle et al. 2022, section 3).
    """

    iterative = True

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 192,
        regularization: Annotated[float, Gt(0)] = 0.007,
        unobserved_weight: Annotated[float, Gt(0)] = 0.3,
        nu: Annotated[float, Ge(0)] = 1.0,
        init_std: Annotated[float, Gt(0)] = 0.1,
    ) -> None:
        super().__init__(n_users, n_items, factors)
        self.regularization, self.unobserved_weight, self.nu = regularization, unobserved_weight, nu
        # scaled so that the factors' length doesn't depend on their number
        self.store(item_factors=torch.randn(n_items, factors) * (init_std / factors**0.5))

    def fit(self, train: Interactions) -> None:
        by_user, by_item = History(self.n_users), History(self.n_items)
        by_user.observe(train)
        by_item.observe(transpose(train))
        users = self._solve("users", by_user, self.item_factors.cpu())
        items = self._solve("items", by_item, users)
        self.store(user_factors=users, item_factors=items)

    def fold_in(self, items: Tensor) -> Tensor:
        history = History(1)
        history.store(starts=torch.tensor([0, len(items)]), items=items.cpu())
        fixed = self.item_factors.cpu()
        return fixed @ self._solve("user", history, fixed)[0]

    def _solve(self, name: str, history: History, fixed: Tensor) -> Tensor:
        """Find the best factors of each row of `history` for the `fixed` ones of its columns."""
        n_fixed, width = fixed.shape
        of_all = self.unobserved_weight * (fixed.t() @ fixed)
        lengths = history.starts.diff()
        ridge = lengths + self.unobserved_weight * n_fixed
        ridge = self.regularization * ridge.pow(self.nu)
        padded = torch.cat([fixed, fixed.new_zeros(1, width)])
        solved = fixed.new_empty(len(lengths), width)
        work = list(batch_rows(lengths, width))
        for rows, longest in tqdm(work, name, disable=None, leave=False):
            place = torch.arange(longest)
            absent = place >= lengths[rows, None]
            places = (history.starts[rows, None] + place).masked_fill_(absent, 0)
            vectors = embedding(history.items[places].masked_fill_(absent, n_fixed), padded)
            normal = torch.baddbmm(of_all, vectors.mT, vectors)
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

"""Linear models of what comes next, from a user's last items."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import Interactions
from src.models.fitted import Fitted
from src.models.linear import EASE, require_matrices
from src.models.recency import LastItems, order_by_time
from src.models.recommender import Knowledge

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Last = Annotated[int, Ge(1)]
Decay = Annotated[float, Gt(0), Le(1)]
Share = Annotated[float, Ge(0), Le(1)]
Regularization = Annotated[float, Gt(0)]


class NextItem(Fitted):
    """Scores what may come next by weights from each of a user's last items.

    score(u, j) = sum over k of decay^k W[i_k, j], where i_0 is u's latest item. A subclass
    implements `compute_weights`.
    """

    knows: Knowledge = "order"

    weights: Tensor
    """float [n_items, n_items]: from an item that was had, to one that may come."""

    def __init__(self, n_users: int, n_items: int, last: Last, decay: Decay) -> None:
        super().__init__(n_users, n_items)
        self.last, self.decay = last, decay
        self.history = LastItems(n_users, n_items, last)
        self.store(weights=torch.zeros(0))

    def compute_weights(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Compute float32 [n_items, n_items] from interactions by user and time, [n] each."""
        raise NotImplementedError

    def fit(self, train: Interactions) -> None:
        require_matrices(type(self).__name__, 3, self.n_items)
        users, items = order_by_time(train)
        self.history.keep(users, items)
        weights = self.compute_weights(users, items)
        self.store(weights=torch.from_numpy(np.ascontiguousarray(weights, np.float32)))

    def score_all(self, users: Tensor) -> Tensor:
        return self.history.weigh(users, self._by_place()) @ self.weights

    def similar_to(self, item: int) -> Tensor:
        return self.weights[item]

    def _by_place(self) -> Tensor:
        """Return the weight of each place from the end: [last]."""
        return self.decay ** torch.arange(
            self.last, dtype=self.weights.dtype, device=self.weights.device
        )


class Markov(NextItem):
    """A first-order Markov chain: how often item j came right after item i (Rendle et al. 2010).

    W[i, j] = n_ij / (n_i + shrink), where n_ij counts j right after i, and n_i anything after i.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        last: Last = 10,
        decay: Decay = 0.7,
        shrink: Annotated[float, Ge(0)] = 20.0,
    ) -> None:
        super().__init__(n_users, n_items, last, decay)
        self.shrink = shrink

    def compute_weights(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        same = users[1:] == users[:-1]
        before, after = items[:-1][same], items[1:][same]
        pairs = np.bincount(before * self.n_items + after, minlength=self.n_items**2)
        counts = pairs.reshape(self.n_items, self.n_items).astype(np.float32)
        return counts / (counts.sum(1, keepdims=True) + max(self.shrink, 1e-9))


class NextItemRidge(NextItem):
    """Ridge regression of the next item on the `last` ones before it, which decay.

    With a row x for every interaction but a user's first, the sum of decay^k at the k-th item
    before it, and y for the item itself: W = (X'X + regularization I)^-1 X'Y.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        last: Last = 10,
        decay: Decay = 0.7,
        regularization: Regularization = 100.0,
    ) -> None:
        super().__init__(n_users, n_items, last, decay)
        self.regularization = regularization

    def compute_weights(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        past = self._list_pasts(users, items)
        return _solve_ridge(past, _one_hot(items, self.n_items), self.regularization)

    def _list_pasts(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> csr_matrix:
        """Return what came before each interaction: [n, n_items]."""
        return _sum_shifted(
            users, items, self.n_items, range(1, self.last + 1), lambda k: self.decay ** (k - 1)
        )


class SLIST(NextItem):
    """Session-aware linear similarity and transition (Choi et al. 2021), users as sessions.

    W minimizes alpha |S - S W|^2 + (1 - alpha) |T - P W|^2 + regularization |W|^2, for sessions S
    and, at every place in one, the past P and the future T, which decay away from it (sections 3.2
    to 3.4, equation 15; without the constraint on the diagonal, which next items do without).
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        last: Last = 10,
        decay: Decay = 0.8,
        alpha: Share = 0.2,
        regularization: Regularization = 100.0,
        reach: Last = 5,
    ) -> None:
        """`alpha`: 1 is similarity alone (SLIS), 0 transition alone (SLIT).

        `reach`: how many items before and after a place are its past and its future.
        """
        super().__init__(n_users, n_items, last, decay)
        self.alpha, self.regularization, self.reach = alpha, regularization, reach

    def compute_weights(
        self, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        from scipy.sparse import csr_matrix, vstack

        def weight(k: int) -> float:
            return self.decay ** (abs(k) - 1)

        shape = (self.n_users, self.n_items)
        sessions = csr_matrix((np.ones(len(items), np.float32), (users, items)), shape)
        near = range(1, self.reach + 1)
        past = _sum_shifted(users, items, self.n_items, near, weight)
        # the item at the place itself is the first of its future
        future = _sum_shifted(
            users, items, self.n_items, range(0, -self.reach, -1), lambda k: self.decay ** abs(k)
        )
        like, on = self.alpha**0.5, (1 - self.alpha) ** 0.5
        left = vstack([like * sessions, on * past]).tocsr()
        right = vstack([like * sessions, on * future]).tocsr()
        return _solve_ridge(left, right, self.regularization)


class RecentEASE(EASE):
    """EASE whose users' last items count more: `boost` times at the end, decaying before it.

    The k-th item from the end of a user's history weighs 1 + (boost - 1) decay^k, k < last.
    """

    knows: Knowledge = "order"

    def __init__(
        self,
        n_users: int,
        n_items: int,
        regularization: Regularization = 1320.0,
        last: Last = 50,
        boost: Annotated[float, Ge(1)] = 3.0,
        decay: Decay = 0.95,
    ) -> None:
        super().__init__(n_users, n_items, regularization)
        self.last, self.boost, self.decay = last, boost, decay
        self.recent = LastItems(n_users, n_items, last)

    def fit(self, train: Interactions) -> None:
        super().fit(train)
        self.recent.observe(train)

    def score_all(self, users: Tensor) -> Tensor:
        places = torch.arange(self.last, dtype=self.item_weights.dtype)
        more = (self.boost - 1) * self.decay ** places.to(self.item_weights.device)
        return super().score_all(users) + self.recent.weigh(users, more) @ self.item_weights


def _one_hot(items: NDArray[np.int64], n_items: int) -> csr_matrix:
    """Return a row for each item with 1 at it: float32 [n, n_items]."""
    from scipy.sparse import csr_matrix

    rows = np.arange(len(items))
    return csr_matrix((np.ones(len(items), np.float32), (rows, items)), (len(items), n_items))


def _sum_shifted(
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    n_items: int,
    steps: range,
    weight: Callable[[int], float],
) -> csr_matrix:
    """Return for each interaction what the same user had so many steps before: [n, n_items].

    Interactions are by user and time; a step below 0 is one after. Each step has its weight.
    """
    from scipy.sparse import csr_matrix

    every = np.arange(len(items))
    rows, columns, values = [], [], []
    for k in steps:
        other = every - k
        inside = (other >= 0) & (other < len(items))
        inside[inside] &= users[other[inside]] == users[inside]
        rows.append(every[inside])
        columns.append(items[other[inside]])
        values.append(np.full(int(inside.sum()), weight(k), np.float32))
    place = (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix((np.concatenate(values), place), (len(items), n_items))


def _solve_ridge(left: csr_matrix, right: csr_matrix, regularization: float) -> NDArray[np.float32]:
    """Return (L'L + regularization I)^-1 L'R: [n_items, n_items]."""
    from scipy.linalg import cho_factor, cho_solve

    gram = (left.T @ left).toarray()
    gram[np.diag_indices_from(gram)] += regularization
    found: NDArray[np.float32] = cho_solve(
        cho_factor(gram, overwrite_a=True, check_finite=False),
        (left.T @ right).toarray(),
        overwrite_b=True,
        check_finite=False,
    )
    return found

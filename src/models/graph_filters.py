"""Low-pass filters of the item graph in closed form: what a user has is smoothed, nothing trained.

Two items are as near in the graph as the normalized interactions R~ say, P = R~^T R~.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from src.models.factorization import draw_seed
from src.models.item_to_item import DenseItemToItem
from src.models.linear import compute_gram_matrix, require_matrices
from src.models.recommender import Factors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class GFCF(DenseItemToItem):
    """GF-CF: a linear filter of the item graph and an ideal low-pass one (Shen et al. 2021).

    A user's scores are x_u (P + ideal_weight D^-1/2 V V^T D^1/2), with R~ = D_U^-1/2 R D^-1/2, V
    the `factors` leading right singular vectors of R~, and D_U and D the users' and the items'
    numbers of interactions. A small matrix has fewer vectors than asked for.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 256,
        ideal_weight: Annotated[float, Ge(0)] = 0.3,
    ) -> None:
        super().__init__(n_users, n_items)
        self.factors, self.ideal_weight = factors, ideal_weight

    def compute_item_weights(self, interactions: csr_matrix) -> Tensor:
        from sklearn.utils.extmath import randomized_svd

        require_matrices("gfcf", 2, self.n_items)
        normalized = normalize_interactions(interactions, 0.5, 0.5)
        width = min(self.factors, *normalized.shape)
        _, _, found = randomized_svd(normalized, width, random_state=draw_seed())
        vectors = torch.from_numpy(np.ascontiguousarray(found)).float()
        roots = count_at_least_one(interactions.indices, self.n_items).sqrt()
        weights = compute_gram_matrix(normalized)
        return weights.addmm_((vectors / roots).t(), vectors * roots, alpha=self.ideal_weight)


class TurboCF(DenseItemToItem):
    """Turbo-CF: polynomials of the item graph, without a decomposition (Park et al. 2024).

    R~ = D_U^-alpha R D_I^(alpha - 1), and every entry of P is raised to `power`. The filter is P
    itself, or 2 P - P^2, which lets more of the middle frequencies through.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        alpha: Annotated[float, Ge(0), Le(1)] = 0.5,
        power: Annotated[float, Gt(0)] = 1.0,
        filter: Literal["linear", "quadratic"] = "linear",
    ) -> None:
        super().__init__(n_users, n_items)
        self.alpha, self.power, self.filter = alpha, power, filter

    def compute_item_weights(self, interactions: csr_matrix) -> Tensor:
        require_matrices("turbocf", 1 if self.filter == "linear" else 2, self.n_items)
        normalized = normalize_interactions(interactions, self.alpha, 1 - self.alpha)
        graph = compute_gram_matrix(normalized).pow_(self.power)
        if self.filter == "linear":
            return graph
        return (graph @ graph).neg_().add_(graph, alpha=2)


def normalize_interactions(
    interactions: csr_matrix, user_power: float, item_power: float
) -> csr_matrix:
    """Divide each entry by its user's and its item's number of interactions to these powers."""
    lengths = np.diff(interactions.indptr)
    of_users = np.repeat(np.maximum(lengths, 1.0) ** -user_power, lengths)
    of_items = count_at_least_one(interactions.indices, interactions.shape[1]).numpy()
    normalized = interactions.copy()
    normalized.data *= (of_users * of_items[interactions.indices] ** -item_power).astype("f4")
    return normalized


def count_at_least_one(ids: np.ndarray, n: int) -> Tensor:
    """Count how often each of n ids occurs, 0 times as once: float32 [n]."""
    return torch.from_numpy(np.bincount(ids, minlength=n)).clamp(min=1).float()

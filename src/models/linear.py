"""Linear item-to-item models: an item's interactions regressed on those of all others."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix, products
from src.errors import UserError
from src.memory import require_memory
from src.models.fitted import Fitted
from src.models.history import History


class EASE(Fitted):
    """Embarrassingly shallow autoencoder (Steck 2019): ridge regression in closed form.

    Minimizes |X - XB|^2 + regularization |B|^2 with a zero diagonal; a score is an entry of XB.
    """

    item_weights: Tensor
    """float [n_items, n_items], B of the paper: row j is what a j in the history adds."""

    def __init__(
        self, n_users: int, n_items: int, regularization: Annotated[float, Gt(0)] = 1320.0
    ) -> None:
        super().__init__(n_users, n_items)
        self.regularization = regularization
        self.history = History(n_users)
        self.store(item_weights=torch.zeros(0))

    def fit(self, train: Interactions) -> None:
        require_matrices("ease", 3, self.n_items)
        self.history.observe(train)
        gram = gram_matrix(train)
        gram.diagonal().add_(self.regularization)
        inverse = inverted(gram, self.regularization)
        # equation 8
        weights = inverse.div_(-inverse.diagonal())
        self.store(item_weights=weights.fill_diagonal_(0))

    def score_all(self, users: Tensor) -> Tensor:
        return self.history.sum_rows(users, self.item_weights)


def require_matrices(name: str, n: int, n_items: int) -> None:
    """Raises UserError when `n` dense item x item matrices exceed the free memory."""
    require_memory(
        4 * n * n_items**2,
        f"model={name}: {n} matrices of {n_items} x {n_items}",
        "use model=itemknn, or drop rare items with data.k_core",
    )


def gram_matrix(train: Interactions) -> Tensor:
    """How many users each two items share, X^T X: float32 [n_items, n_items]."""
    matrix = interaction_matrix(train)
    gram = torch.empty(train.n_items, train.n_items)
    for rows, block in products(matrix.T.tocsr(), matrix):
        gram[rows] = torch.from_numpy(block)
    return gram


def inverted(matrix: Tensor, regularization: float) -> Tensor:
    """The inverse of a symmetric positive definite matrix, which is overwritten."""
    try:
        torch.linalg.cholesky(matrix, out=matrix)
    except torch.linalg.LinAlgError as error:
        raise UserError(
            f"model.regularization={regularization} is too small for single precision"
        ) from error
    # symmetric, so its transpose, which lies in memory row by row
    return torch.cholesky_inverse(matrix).mT

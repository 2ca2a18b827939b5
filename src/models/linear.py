"""Linear item-to-item models: an item's interactions are regressed on those of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from tqdm import tqdm

from src.data.interactions import Interactions
from src.data.sparse import interaction_matrix, multiply_in_blocks
from src.errors import UserError
from src.models.fitted import Fitted
from src.models.history import History
from src.models.item_to_item import ItemToItem

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Steps a little longer than the method's own halve the iterations (Boyd et al. 2011, section 3.4.3)
RELAXATION = 1.7


class EASE(Fitted):
    """Embarrassingly shallow autoencoder (Steck 2019): ridge regression in closed form.

    Minimizes |X - XB|^2 + regularization |B|^2 with a zero diagonal; a score is an entry of XB.
    """

    item_weights: Tensor
    """float [n_items, n_items], B of the paper: item j in the history adds row j to the scores."""

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
        gram = compute_gram_matrix(interaction_matrix(train))
        gram.diagonal().add_(self.regularization)
        inverse = invert(gram, self.regularization)
        # equation 8
        weights = inverse.div_(-inverse.diagonal())
        self.store(item_weights=weights.fill_diagonal_(0))

    def score_all(self, users: Tensor) -> Tensor:
        return self.history.sum_rows(users, self.item_weights)

    def fold_in(self, items: Tensor) -> Tensor:
        return self.item_weights[items].sum(0)

    def similar_to(self, item: int) -> Tensor:
        return self.item_weights[item]


class SLIM(ItemToItem):
    """Sparse linear method (Ning and Karypis 2011): elastic net with weights that are not negative.

    Minimizes 1/2 |X - XW|^2 + regularization/2 |W|^2 + l1 |W|_1 with W >= 0 and a zero diagonal,
    by the alternating directions method of multipliers (Steck et al. 2020, "ADMM SLIM"): one
    inverse, then a matrix product an iteration, for all items at once.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        l1: Annotated[float, Ge(0)] = 10.0,
        regularization: Annotated[float, Gt(0)] = 300.0,
        penalty: Annotated[float, Gt(0)] = 5000.0,
        iterations: Annotated[int, Ge(1)] = 20,
    ) -> None:
        """Take `penalty` as the method's rho, which decides how fast the weights converge."""
        super().__init__(n_users, n_items)
        self.l1, self.regularization = l1, regularization
        self.penalty, self.iterations = penalty, iterations

    def compute_item_weights(self, interactions: csr_matrix) -> csr_matrix:
        from scipy.sparse import csr_matrix

        require_matrices("slim", 6, self.n_items)
        gram = compute_gram_matrix(interactions)
        inverse = gram.clone()
        inverse.diagonal().add_(self.regularization + self.penalty)
        inverse = invert(inverse, self.regularization)
        free = inverse @ gram
        del gram  # six such matrices are enough
        # C of the paper, and Gamma / rho
        sparse, dual = torch.zeros_like(free), torch.zeros_like(free)
        for _ in tqdm(range(self.iterations), "slim", disable=None, leave=False):
            weights = torch.addmm(free, inverse, sparse - dual, alpha=self.penalty)
            # the multipliers that make the diagonal zero
            weights.addcmul_(inverse, weights.diagonal() / inverse.diagonal(), value=-1)
            dual += weights.lerp_(sparse, 1 - RELAXATION)
            torch.sub(dual, self.l1 / self.penalty, out=sparse).clamp_(min=0)
            dual -= sparse
        # rows of what an item is regressed on
        return csr_matrix(sparse.t().numpy())


def require_matrices(name: str, n: int, n_items: int) -> None:
    """Refuse with UserError when `n` dense item x item matrices exceed the free memory."""
    require_memory(
        4 * n * n_items**2,
        f"model={name}: {n} matrices of {n_items} x {n_items}",
        "use model=itemknn, or drop rare items with data.k_core",
    )


def require_memory(n_bytes: int, what: str, instead: str) -> None:
    """Refuse `what` with UserError when its peak of `n_bytes` exceeds the free memory.

    `instead` says what the user can do.
    """
    import psutil

    free = psutil.virtual_memory().available
    if n_bytes > free:
        raise UserError(
            f"{what} takes {_format_size(n_bytes)} of memory and {_format_size(free)} are free: "
            f"{instead}"
        )


def _format_size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.0f} MB"


def compute_gram_matrix(interactions: csr_matrix) -> Tensor:
    """Count the users that each two items share, X^T X: float32 [n_items, n_items]."""
    n_items = interactions.shape[1]
    gram = torch.empty(n_items, n_items)
    for rows, block in multiply_in_blocks(interactions.T.tocsr(), interactions, "co-occurrences"):
        gram[rows] = torch.from_numpy(block)
    return gram


def invert(matrix: Tensor, regularization: float) -> Tensor:
    """Invert a symmetric positive definite matrix, which is overwritten.

    Raises UserError that names `regularization` when the matrix is not positive definite.
    """
    try:
        torch.linalg.cholesky(matrix, out=matrix)
    except torch.linalg.LinAlgError as error:
        raise UserError(
            f"model.regularization={regularization} is too small for single precision"
        ) from error
    # symmetric, so its transpose, which lies in memory row by row
    return torch.cholesky_inverse(matrix).mT

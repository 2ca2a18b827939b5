"""Linear item-to-item models: an item's interactions are regressed on those of all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from src.data.sparse import multiply_in_blocks
from src.errors import UserError
from src.models.item_to_item import DenseItemToItem, ItemToItem
from src.models.recommender import Dropout, Power

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Steps a little longer than the method's own halve the iterations (Boyd et al. 2011, section 3.4.3)
RELAXATION = 1.7


class EASE(DenseItemToItem):
    """Embarrassingly shallow autoencoder (Steck 2019): ridge regression in closed form.

    Minimizes |X - XB|^2 + regularization |B|^2 with a zero diagonal; a score is an entry of XB.
    The options vary that:

    - `dropout` p adds p / (1 - p) diag(X^T X) to the regularization, which is what training with
      dropout of the inputs comes to (EDLAE: Steck 2020).
    - `diagonal` lets the diagonal of B be as large as that (RLAE, with dropout RDLAE: Moon et al.
      2023): 0 forbids it, 1 leaves it to the regularization.
    - `user_power` c weights user u's squared errors by (n_u / mean)^-c, n_u the items of u.
    - `gram_power` a scales rows and columns of X^T X by (n_i / mean)^-a, n_i the users of item i.
    - `score_power` b multiplies scores by (n_i / mean)^-b.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        regularization: Annotated[float, Gt(0)] = 1320.0,
        dropout: Dropout = 0.0,
        diagonal: Annotated[float, Ge(0), Le(1)] = 0.0,
        user_power: Power = 0.0,
        gram_power: Power = 0.0,
        score_power: Power = 0.0,
    ) -> None:
        super().__init__(n_users, n_items)
        self.regularization, self.dropout, self.diagonal = regularization, dropout, diagonal
        self.user_power, self.gram_power = user_power, gram_power
        self.score_power = score_power

    def compute_item_weights(self, interactions: csr_matrix) -> Tensor:
        require_matrices("ease", 3, self.n_items)
        popularity = relate_to_mean(np.bincount(interactions.indices, minlength=self.n_items))
        scale = popularity.pow(-self.gram_power)
        gram = compute_gram_matrix(weight_users(interactions, self.user_power))
        gram.mul_(scale).mul_(scale[:, None])
        ridge = self.regularization + self.dropout / (1 - self.dropout) * gram.diagonal()
        gram.diagonal().add_(ridge)
        weights = self._constrain_diagonal(invert(gram, self.regularization), ridge)
        return weights.mul_(popularity.pow(-self.score_power))

    def _constrain_diagonal(self, inverse: Tensor, ridge: Tensor) -> Tensor:
        """Return B = I - P D, P the `inverse` and D the diagonal matrix that the constraint asks.

        Without a constraint D is the `ridge` [n_items]; it is larger where that would leave more
        than `diagonal` on the diagonal. The inverse is overwritten.
        """
        least = inverse.diagonal() / (1 - self.diagonal)
        weights = inverse.div_(-torch.minimum(least, 1 / ridge))
        # rounding may leave something where nothing should be
        weights.diagonal().add_(1).clamp_(0, self.diagonal)
        return weights


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


def relate_to_mean(counts: NDArray[Any]) -> Tensor:
    """Divide counts by their mean, each taken for one at least: float32 of the same shape."""
    raised = torch.from_numpy(counts).clamp(min=1).float()
    return raised / raised.mean()


def weight_users(interactions: csr_matrix, power: float) -> csr_matrix:
    """Multiply users' rows by the root of (n / mean)^-power, n the number of their items."""
    lengths = np.diff(interactions.indptr)
    roots = relate_to_mean(lengths).pow(-power / 2).numpy()
    weighted = interactions.copy()
    weighted.data *= np.repeat(roots, lengths)
    return weighted


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

"""Estimates of metrics over the whole catalogue from ranks among sampled negatives.

Krichene and Rendle 2020, "On Sampled Metrics for Item Recommendation" (KDD), corrected metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.evaluation.metrics import metrics_at

FloatArray = NDArray[np.floating[Any]]

# How much variance counts beside squared bias. Little: thousands of targets average variance away,
# but not bias.
GAMMA = 0.01


def estimates(
    ranks: Tensor, n_sampled: Tensor, n_unseen: Tensor, ks: Sequence[int]
) -> dict[str, Tensor]:
    """Estimate every target's HR, NDCG and MRR in two ways: float64 [T] by "estimate/metric@k".

    ranks int64 [T]: among the sampled negatives; n_sampled int64 [T]: the number of distinct
    negatives that were sampled; n_unseen int64 [T]: the number of negatives that the catalogue has
    for the target's user. Where all of them were sampled, both estimates are the metric itself.

    "unbiased-rank" takes the metric at the unbiased estimate of the rank,
    1 + n_unseen (rank - 1) / n_sampled, where only a sampled rank of 1 is below k when k is at most
    n_unseen / n_sampled. "bias-variance" trades bias for variance, see
    `compute_correction`.

    Only means over many targets are meaningful: a single target's may be negative or above 1.
    """
    n_unseen = n_unseen.maximum(n_sampled)
    # multiplied first, so that the rank among all is a whole number again
    unbiased = 1 + n_unseen * (ranks - 1).double() / n_sampled.clamp(min=1)
    found = {f"unbiased-rank/{name}": values for name, values in metrics_at(unbiased, ks).items()}
    best = metrics_at(torch.arange(1, max(ks) + 1), ks)
    values = torch.stack(list(best.values()), dim=1).numpy()
    corrected = torch.empty(len(ranks), len(best), dtype=torch.float64)
    kinds, kind, counts = (
        torch.stack([n_sampled, n_unseen], dim=1)
        .cpu()
        .unique(dim=0, return_inverse=True, return_counts=True)
    )
    places = ranks.cpu() - 1
    for (sampled, unseen), rows in zip(
        kinds.tolist(), kind.argsort(stable=True).split(counts.tolist()), strict=True
    ):
        corrected[rows] = torch.from_numpy(compute_correction(values, sampled, unseen))[
            places[rows]
        ]
    columns = corrected.to(ranks.device).unbind(1)
    return found | {f"bias-variance/{n}": v for n, v in zip(best, columns, strict=True)}


def compute_correction(values: FloatArray, n_sampled: int, n_unseen: int) -> FloatArray:
    """Compute the value to report for each sampled rank: [n_sampled + 1, M] for M metrics.

    values [R, M]: metrics at the true ranks 1 .. R; beyond those they are 0.

    With n = n_sampled <= N = n_unseen, all true ranks r = 1 .. N + 1 equally likely, and
    A[r, s] = P(sampled rank s | true rank r), the estimate g minimizes

        sum_r (E[g | r] - values(r))^2 + GAMMA Var[g | r],

    which is g = ((1 - GAMMA) A'A + GAMMA diag(A'1))^-1 A' values. Sampled ranks are equally likely
    too, so diag(A'1) = (N + 1) / (n + 1) I, and S = (n + 1) / (N + 1) A'A is symmetric with rows
    that sum to 1. Means given r and means given s turn polynomials of degree j into polynomials of
    degree j, so S has the polynomials of degree 0 .. n that are orthogonal on 1 .. n + 1 as
    eigenvectors, whatever N is, and only eigenvalues depend on N:

        product over i < j of (n - i) (N + 2 + i) / ((N - i) (n + 2 + i)).

    They lie in (0, 1], so those of the system lie in [GAMMA, 1]. No row of A beyond R is needed.
    """
    chances = compute_sampled_rank_chances(min(len(values), n_unseen + 1), n_sampled, n_unseen)
    n_ranks, n_sampled_ranks = chances.shape
    right = (n_sampled + 1) / (n_unseen + 1) * chances.T @ values[:n_ranks]
    i = np.arange(n_sampled)
    steps = (n_sampled - i) * (n_unseen + 2 + i) / ((n_unseen - i) * (n_sampled + 2 + i))
    eigenvalues = (1 - GAMMA) * np.cumprod([1.0, *steps]) + GAMMA
    vectors = _compute_orthogonal_polynomials(n_sampled)
    return vectors @ ((vectors[:n_sampled_ranks].T @ right) / eigenvalues[:, None])


def compute_sampled_rank_chances(n_ranks: int, n_sampled: int, n_unseen: int) -> FloatArray:
    """Compute P(sampled rank s | true rank r), hypergeometric, for r = 1 .. n_ranks.

    n_ranks <= n_unseen + 1. Row r - 1 and column s - 1 of [n_ranks, min(n_ranks, n_sampled + 1)]
    have the chance that s - 1 of the r - 1 negatives that are ahead are among n_sampled distinct
    ones of n_unseen.
    """
    ahead = np.arange(min(n_ranks, n_sampled + 1))
    chances = np.zeros((n_ranks, len(ahead)))
    chances[0, 0] = 1
    # One more negative ahead, of those not counted yet: it is in the sample or not. Nothing is
    # subtracted from a chance, so no digits are lost, and what can't happen has chance 0 exactly.
    for r in range(1, n_ranks):
        left, missing = n_unseen - r + 1, n_sampled - ahead
        chances[r] = chances[r - 1] * (left - missing) / left
        chances[r, 1:] += (chances[r - 1] * missing / left)[:-1]
    return chances


@lru_cache(maxsize=4)
def _compute_orthogonal_polynomials(n: int) -> FloatArray:
    """Compute orthonormal polynomials of degree 0 .. n (columns) on n + 1 even points (rows).

    These discrete Chebyshev polynomials are the eigenvectors of a difference operator with
    eigenvalues j (j + 1) (Koekoek and Swarttouw 1998, 1.5 with alpha = beta = 0). The eigenvalues
    are far apart, so this is numerically safe, unlike the recurrence in the degree.
    """
    from scipy.linalg import eigh_tridiagonal

    x = np.arange(n + 1.0)
    below = x * (n + 1 - x)
    above = (x + 1) * (n - x)
    return eigh_tridiagonal(below + above, -below[1:])[1]

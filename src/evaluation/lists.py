"""Metrics of recommended lists as lists: how varied, how popular, how personal they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# Numbers held at a time for distances within lists, 16 MB as float64
NUMBERS_PER_CHUNK = 1 << 21


def list_metrics(
    lists: Tensor, popularity: Tensor, n_users: int, ks: Sequence[int], vectors: Tensor | None
) -> dict[str, float]:
    """Compute metrics of the first k of each list, for every k up to the length of the lists.

    lists int64 [U, K]: each user's recommended items without repetition, best first; -1 where there
    was no item left to recommend, which counts as nothing in every metric. popularity int64
    [n_items]: training interactions of each item; n_users: users of the training part. vectors
    [n_items, d]: positions of the items, for the two diversities. All are on one device.

    With c_i = the number of the U lists that recommend item i:
    coverage: share of items with c_i > 0.
    gini: Gini coefficient of c over the whole catalogue, 0 when all items are recommended equally
    often, 1 when all recommendations are of one item: sum_j (2j - n - 1) c_(j) / ((n - 1) sum c)
    with c_(1) <= ... <= c_(n) (Shani and Gunawardana 2011, "Evaluating Recommendation Systems").
    popularity: mean training count of what is recommended.
    novelty: mean self-information -log2(count / n_users) of what is recommended (Zhou et al. 2010,
    "Solving the apparent diversity-accuracy dilemma"); items without training interactions count
    as having one.
    personalization: 1 - the mean over pairs of users of the shared part of their lists,
    |L_u & L_v| / k (Zhou et al. again); 1 for a single user.
    ild-euclidean, ild-cosine: mean over users of the mean distance between two items of the list,
    Euclidean and 1 - cosine (Ziegler et al. 2005, intra-list); 0 for lists of one item or none. A
    zero vector has cosine 0 with every other.
    """
    ks = [k for k in ks if k <= lists.shape[1]]
    counted = popularity.double()
    information = -torch.log2(counted.clamp(min=1) / n_users)
    metrics = {}
    for k in ks:
        shown = lists[:, :k]
        times = torch.bincount(shown[shown >= 0], minlength=len(popularity))
        total = max(int(times.sum()), 1)
        metrics[f"coverage@{k}"] = (times > 0).double().mean().item()
        metrics[f"gini@{k}"] = _compute_gini(times)
        metrics[f"popularity@{k}"] = (times * counted).sum().item() / total
        metrics[f"novelty@{k}"] = (times * information).sum().item() / total
        metrics[f"personalization@{k}"] = 1 - _compute_mean_overlap(times, len(lists)) / k
    if vectors is not None:
        for name, means in _compute_diversity(lists, vectors).items():
            metrics.update({f"{name}@{k}": means[k - 1].item() for k in ks})
    return metrics


def _compute_gini(times: Tensor) -> float:
    """Compute the Gini coefficient of how many times each item is recommended, int64 [n_items]."""
    n = len(times)
    weights = torch.arange(1 - n, n, 2, device=times.device)
    return (weights * times.sort().values).sum().item() / max((n - 1) * int(times.sum()), 1)


def _compute_mean_overlap(times: Tensor, n_lists: int) -> float:
    """Average the number of shared items over pairs of lists: one in c lists is in C(c, 2)."""
    pairs = n_lists * (n_lists - 1) // 2
    return (times * (times - 1) // 2).sum().item() / max(pairs, 1)


def _compute_diversity(lists: Tensor, vectors: Tensor) -> dict[str, Tensor]:
    """Average over users the mean distance in their first 1, 2, ..., K items: float64 [K]."""
    length, width = lists.shape[1], vectors.shape[1]
    sums = {
        name: torch.zeros(length, dtype=torch.float64, device=lists.device)
        for name in ("ild-euclidean", "ild-cosine")
    }
    # sums over the first 1, 2, ..., K; cumsum is not deterministic on a GPU
    first = torch.ones(length, length, dtype=torch.float64, device=lists.device).triu()
    for chunk in lists.split(max(1, NUMBERS_PER_CHUNK // (length * (length + width)))):
        present = chunk >= 0
        rows = vectors.detach()[chunk.clamp(min=0)].double()
        directions = F.normalize(rows, dim=-1)
        distances = {
            # not by way of dot products, which lose the digits of small distances
            "ild-euclidean": torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist"),
            "ild-cosine": 1 - directions @ directions.mT,
        }
        # an item and each one before it
        pairs = (present[:, :, None] & present[:, None, :]).triu(1)
        n_pairs = pairs.sum(1).cumsum(1).clamp(min=1)
        for name, distance in distances.items():
            sums[name] += ((distance * pairs).sum(1) @ first / n_pairs).sum(0)
    return {name: total / max(len(lists), 1) for name, total in sums.items()}

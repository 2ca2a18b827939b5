"""From scores to ranks, and from ranks to every metric in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def ranks(target_scores: Tensor, candidate_scores: Tensor, masked: Tensor | None = None) -> Tensor:
    """Rank of each target among its candidates: 1 + the number that score at least as high.

    target_scores [T], candidate_scores [T, C], masked bool [T, C] (candidates that don't count:
    the target's own duplicates, known positives) -> int64 [T], 1 is best. Ties count against the
    target, and so do scores that are not numbers: a constant or broken model ranks last.
    """
    ahead = ~(candidate_scores < target_scores[:, None])
    if masked is not None:
        ahead &= ~masked
    return 1 + ahead.sum(1)


def metrics_at(ranks: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Per-target metrics, each float64 [T], named like "hr@10".

    With one relevant item at rank r: HR@k = [r <= k], NDCG@k = [r <= k] / log2(r + 1), and
    MRR@k = [r <= k] / r (He et al. 2015, "TriRank", for HR and NDCG; He et al. 2017, 4.1).
    """
    position = ranks.double()
    gain = {"hr": torch.ones_like(position), "ndcg": 1 / torch.log2(position + 1)}
    gain["mrr"] = 1 / position
    return {f"{name}@{k}": values * (ranks <= k) for k in ks for name, values in gain.items()}


def mean_over_users(values: Tensor, users: Tensor) -> float:
    """Mean over users of each user's mean over its targets; with one target each, the plain mean.

    values float64 [T], users int64 [T].
    """
    n = torch.bincount(users)
    sums = torch.bincount(users, weights=values)
    tested = n > 0
    return (sums[tested] / n[tested]).mean().item()

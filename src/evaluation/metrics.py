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
    """HR, NDCG and MRR of one relevant item at each rank, float64 [T], named like "hr@10".

    ranks [T] are whole, or real where they are estimates. HR@k = [r <= k],
    NDCG@k = [r <= k] / log2(r + 1), and MRR@k = [r <= k] / r (He et al. 2015, "TriRank", for HR and
    NDCG; He et al. 2017, 4.1).
    """
    position = ranks.double()
    gain = {"hr": torch.ones_like(position), "ndcg": 1 / torch.log2(position + 1)}
    gain["mrr"] = 1 / position
    return {f"{name}@{k}": values * (ranks <= k) for k in ks for name, values in gain.items()}


def per_user(
    users: Tensor, ranks: Tensor, n_negatives: Tensor, ks: Sequence[int], together: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Every metric of every user: distinct user ids [U], ascending, and float64 [U] by name.

    users, ranks and n_negatives are int64 [T], one row a target in any order: whose it is, 1 + the
    number of negatives that score at least as high (other targets don't count), and the number of
    negatives it was ranked among.

    together: a user's m targets stand in one list, because their negatives are the same. In order
    of rank the i-th has i - 1 targets before it, so its position in the list is
    p_i = r_i + i - 1. Otherwise each target has its own negatives and thus a list of its own
    (m = 1), and a user's metrics are the means over its lists. With one target a user both agree.

    With h = the number of p_i <= k (Manning et al. 2008, "Introduction to Information Retrieval",
    chapter 8; Järvelin and Kekäläinen 2002 for NDCG):
    hr@k = [h > 0], precision@k = h / k, recall@k = h / m, f1@k = their harmonic mean (0 if both
    are), ndcg@k = sum of 1 / log2(p_i + 1) over p_i <= k, divided by its value for positions
    1 .. min(m, k), mrr@k = [p_1 <= k] / p_1, and map@k = sum of i / p_i over p_i <= k, divided by
    min(m, k). auc = the mean over targets of the share of negatives that score lower; ties count
    against the target, and without negatives it is 1, as nothing is ahead.
    """
    by_rank = ranks.argsort(stable=True)
    order = by_rank[users[by_rank].argsort(stable=True)]
    found, n_targets = users[order].unique_consecutive(return_counts=True)
    sizes = n_targets if together else torch.ones_like(order)
    metrics = _of_lists(ranks[order], sizes, ks)
    if not together:
        metrics = {n: _segments(values, "mean", n_targets) for n, values in metrics.items()}
    # a target without negatives has rank 1
    auc = 1 - (ranks - 1).double() / n_negatives.clamp(min=1)
    return found, {**metrics, "auc": _segments(auc[order], "mean", n_targets)}


def _of_lists(ranks: Tensor, sizes: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Metrics of lists [L], list by list with sizes int64 [L] targets, ascending within each."""
    first = sizes.cumsum(0) - sizes
    place = torch.arange(1, len(ranks) + 1, device=ranks.device) - first.repeat_interleave(sizes)
    position = (ranks + place - 1).double()
    discount, precision = 1 / torch.log2(position + 1), place / position
    best = torch.arange(1, max(ks) + 1).double()
    # summed on the CPU: cumsum is not deterministic on a GPU
    ideal = (1 / torch.log2(best + 1)).cumsum(0).to(ranks.device)
    metrics = {}
    for k in ks:
        inside = (position <= k).double()
        hits, dcg, precisions = (
            _segments(values, "sum", sizes)
            for values in (inside, inside * discount, inside * precision)
        )
        most = sizes.clamp(max=k)
        metrics[f"hr@{k}"] = (hits > 0).double()
        metrics[f"ndcg@{k}"] = dcg / ideal[most - 1]
        metrics[f"mrr@{k}"] = inside[first] / position[first]
        metrics[f"map@{k}"] = precisions / most
        metrics[f"precision@{k}"] = hits / k
        metrics[f"recall@{k}"] = hits / sizes
        # 2 P R / (P + R) with P = h / k and R = h / m, which needs no care at 0
        metrics[f"f1@{k}"] = 2 * hits / (k + sizes)
    return metrics


def _segments(values: Tensor, reduce: str, lengths: Tensor) -> Tensor:
    """Sums or means of values [T] over consecutive segments -> [len(lengths)].

    Each segment is added up in order: the same bits every time, on a GPU too.
    """
    # "unsafe" leaves out a check that fails when there is nothing at all
    return torch.segment_reduce(values, reduce, lengths=lengths, unsafe=True)

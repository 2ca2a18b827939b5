"""From scores to ranks, and from ranks to every metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from src.evaluation.catalogue import METRICS, Metric


def ranks(target_scores: Tensor, candidate_scores: Tensor, masked: Tensor | None = None) -> Tensor:
    """Rank each target among its candidates: 1 + the number that score at least as high.

    target_scores [T], candidate_scores [T, C], masked bool [T, C] (candidates that don't count:
    the target's own duplicates, known positives) -> int64 [T], 1 is best. Ties count against the
    target, and so do scores that are not numbers: a constant or broken model ranks last.
    """
    ahead = ~(candidate_scores < target_scores[:, None])
    if masked is not None:
        ahead &= ~masked
    return 1 + ahead.sum(1)


def metrics_at(ranks: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Return HR, NDCG and MRR of one relevant item at each rank, float64 [T], named like "hr@10".

    ranks [T] are whole, or real where they are estimates. HR@k = [r <= k],
    NDCG@k = [r <= k] / log2(r + 1), and MRR@k = [r <= k] / r (He et al. 2015, "TriRank", for HR and
    NDCG; He et al. 2017, 4.1).
    """
    position = ranks.double()
    gain = {"hr": torch.ones_like(position), "ndcg": 1 / torch.log2(position + 1)}
    gain["mrr"] = 1 / position
    return {f"{name}@{k}": values * (ranks <= k) for k in ks for name, values in gain.items()}


@dataclass(frozen=True)
class RankedLists:
    """Targets in L lists, one list after the other, ascending by rank within each.

    In order of rank the i-th target of a list has i - 1 others before it, so that its position in
    the list is p_i = r_i + i - 1.
    """

    ranks: Tensor
    """int64 [T]: 1 + the number of negatives that score at least as high."""
    n_negatives: Tensor
    """int64 [T]: how many negatives each target was ranked among."""
    sizes: Tensor
    """int64 [L]: how many targets each list has, at least one."""
    _hits: dict[int, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def first(self) -> Tensor:
        """Where each list's best target stands in the order of all targets: int64 [L]."""
        return self.sizes.cumsum(0) - self.sizes

    @cached_property
    def place(self) -> Tensor:
        """The place of each target among those of its list, from 1: int64 [T]."""
        every = torch.arange(1, len(self.ranks) + 1, device=self.ranks.device)
        return every - self.first.repeat_interleave(self.sizes)

    @cached_property
    def position(self) -> Tensor:
        """The position of each target in its list, from 1: float64 [T]."""
        return (self.ranks + self.place - 1).double()

    def inside(self, k: int) -> Tensor:
        """Return 1 for each target among the first k, and 0 for the others: float64 [T]."""
        return (self.position <= k).double()

    def hits(self, k: int) -> Tensor:
        """Count each list's targets among the first k: float64 [L]."""
        if k not in self._hits:
            self._hits[k] = self.sum(self.inside(k))
        return self._hits[k]

    def sum(self, values: Tensor) -> Tensor:
        """Add up the values [T] of each list's targets: [L]."""
        return _reduce_segments(values, "sum", self.sizes)

    def mean(self, values: Tensor) -> Tensor:
        """Average the values [T] of each list's targets: [L]."""
        return _reduce_segments(values, "mean", self.sizes)


# Metrics of each list, float64 [L] (Manning et al. 2008, "Introduction to Information Retrieval",
# chapter 8). With h the number of a list's m targets among its first k:


def hr(ranked: RankedLists, k: int) -> Tensor:
    """Tell whether any target is among the first k: [h > 0]."""
    return (ranked.hits(k) > 0).double()


def ndcg(ranked: RankedLists, k: int) -> Tensor:
    """Discount each hit by its position (Järvelin and Kekäläinen 2002).

    Returns the sum of 1 / log2(p_i + 1) over p_i <= k, divided by its value for positions
    1 .. min(m, k).
    """
    dcg = ranked.sum(ranked.inside(k) * (1 / torch.log2(ranked.position + 1)))
    best = torch.arange(1, k + 1).double()
    # summed on the CPU: cumsum is not deterministic on a GPU
    ideal = (1 / torch.log2(best + 1)).cumsum(0).to(dcg.device)
    return dcg / ideal[ranked.sizes.clamp(max=k) - 1]


def mrr(ranked: RankedLists, k: int) -> Tensor:
    """Return the reciprocal position of the best target: [p_1 <= k] / p_1."""
    return ranked.inside(k)[ranked.first] / ranked.position[ranked.first]


def average_precision(ranked: RankedLists, k: int) -> Tensor:
    """Average the precision at each hit: the sum of i / p_i over p_i <= k, by min(m, k)."""
    precisions = ranked.sum(ranked.inside(k) * (ranked.place / ranked.position))
    return precisions / ranked.sizes.clamp(max=k)


def precision(ranked: RankedLists, k: int) -> Tensor:
    """Return the share of targets among the first k items: h / k."""
    return ranked.hits(k) / k


def recall(ranked: RankedLists, k: int) -> Tensor:
    """Return the share of the targets that are among the first k: h / m."""
    return ranked.hits(k) / ranked.sizes


def f1(ranked: RankedLists, k: int) -> Tensor:
    """Return the harmonic mean of precision and recall, 0 if both are 0."""
    # 2 P R / (P + R) with P = h / k and R = h / m, which needs no care at 0
    return 2 * ranked.hits(k) / (k + ranked.sizes)


def auc(ranked: RankedLists) -> Tensor:
    """Average over targets the share of negatives that score lower.

    Ties count against the target. A target without negatives has rank 1, and 1 here, as nothing is
    ahead of it.
    """
    shares = 1 - (ranked.ranks - 1).double() / ranked.n_negatives.clamp(min=1)
    return ranked.mean(shares)


def per_user(
    users: Tensor,
    ranks: Tensor,
    n_negatives: Tensor,
    ks: Sequence[int],
    together: bool,
    metrics: Iterable[Metric] = METRICS,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the metrics that rest on ranks for every user.

    users, ranks and n_negatives are int64 [T], one row a target in any order: whose it is, 1 + the
    number of negatives that score at least as high (other targets don't count), and the number of
    negatives it was ranked among. -> distinct user ids [U], ascending, and float64 [U] by name.

    together: a user's targets stand in one list, because their negatives are the same. Otherwise
    each target has its own negatives and thus a list of its own, and a user's metrics are the means
    over its lists. With one target a user both agree.
    """
    by_rank = ranks.argsort(stable=True)
    order = by_rank[users[by_rank].argsort(stable=True)]
    found, n_targets = users[order].unique_consecutive(return_counts=True)
    sizes = n_targets if together else torch.ones_like(order)
    values = _of_lists(RankedLists(ranks[order], n_negatives[order], sizes), ks, metrics)
    if not together:
        values = {n: _reduce_segments(value, "mean", n_targets) for n, value in values.items()}
    return found, values


def _of_lists(
    ranked: RankedLists, ks: Sequence[int], metrics: Iterable[Metric]
) -> dict[str, Tensor]:
    """Compute every metric that rests on ranks, float64 [L] by name."""
    resting = [metric for metric in metrics if metric.basis == "ranks"]
    found = {}
    for k in ks:
        for metric in resting:
            if metric.at_cutoffs:
                found[f"{metric.name}@{k}"] = metric.compute(ranked, k)
    for metric in resting:
        if not metric.at_cutoffs:
            found[metric.name] = metric.compute(ranked)
    return found


def _reduce_segments(values: Tensor, reduce: str, lengths: Tensor) -> Tensor:
    """Reduce values [T] over consecutive segments to sums or means: [len(lengths)].

    Each segment is added up in order: the same bits every time, on a GPU too.
    """
    # "unsafe" leaves out a check that fails when there is nothing at all
    return torch.segment_reduce(values, reduce, lengths=lengths, unsafe=True)

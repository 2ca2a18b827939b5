"""Metrics of recommended lists as lists: how varied, how popular, how personal they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from src.evaluation.catalogue import METRICS, Metric

# Numbers held at a time for distances within lists, 16 MB as float64
NUMBERS_PER_CHUNK = 1 << 21


@dataclass(frozen=True)
class RecommendedLists:
    """What is recommended to the users of test; all tensors are on one device."""

    items: Tensor
    """int64 [U, K]: each user's recommended items without repetition, best first; -1 where there
    was no item left to recommend, which counts as nothing in every metric."""
    popularity: Tensor
    """int64 [n_items]: training interactions of each item."""
    n_users: int
    """Users of the training part."""
    vectors: Tensor | None = None
    """float [n_items, d]: positions of the items in the model's space; None without one."""
    _times: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def times(self, k: int) -> Tensor:
        """Count how many of the lists have each item among their first k: int64 [n_items]."""
        if k not in self._times:
            shown = self.items[:, :k]
            shown = shown[shown >= 0]
            self._times[k] = torch.bincount(shown, minlength=len(self.popularity))
        return self._times[k]

    def total(self, k: int) -> int:
        """Count all that is recommended among the first k, at least 1."""
        return max(int(self.times(k).sum()), 1)

    @cached_property
    def diversity(self) -> dict[str, Tensor]:
        """The mean distances within the first 1, 2, ..., K items, by kind: float64 [K]."""
        return {} if self.vectors is None else _compute_diversity(self.items, self.vectors)


def list_metrics(
    lists: RecommendedLists, ks: Sequence[int], metrics: Iterable[Metric] = METRICS
) -> dict[str, float]:
    """Compute metrics of the first k of each list, for every k up to the length of the lists."""
    resting = [metric for metric in metrics if metric.basis == "lists"]
    found = {}
    for metric in resting:
        for k in [k for k in ks if k <= lists.items.shape[1]] if metric.at_cutoffs else [None]:
            value = metric.compute(lists) if k is None else metric.compute(lists, k)
            if value is not None:
                found[metric.name if k is None else f"{metric.name}@{k}"] = float(value)
    return found


def coverage(lists: RecommendedLists, k: int) -> float:
    """Return the share of items that any list recommends."""
    return (lists.times(k) > 0).double().mean().item()


def gini(lists: RecommendedLists, k: int) -> float:
    """Return the Gini coefficient of how often items are recommended, over the whole catalogue.

    0 when all items are recommended equally often, 1 when all recommendations are of one item:
    sum_j (2j - n - 1) c_(j) / ((n - 1) sum c) with c_(1) <= ... <= c_(n) the numbers of lists that
    recommend an item (Shani and Gunawardana 2011, "Evaluating Recommendation Systems").
    """
    times = lists.times(k)
    n = len(times)
    weights = torch.arange(1 - n, n, 2, device=times.device)
    return (weights * times.sort().values).sum().item() / max((n - 1) * int(times.sum()), 1)


def popularity(lists: RecommendedLists, k: int) -> float:
    """Return the mean training count of what is recommended."""
    return (lists.times(k) * lists.popularity.double()).sum().item() / lists.total(k)


def novelty(lists: RecommendedLists, k: int) -> float:
    """Return the mean self-information -log2(count / n_users) of what is recommended.

    Items without training interactions count as having one (Zhou et al. 2010, "Solving the apparent
    diversity-accuracy dilemma").
    """
    information = -torch.log2(lists.popularity.double().clamp(min=1) / lists.n_users)
    return (lists.times(k) * information).sum().item() / lists.total(k)


def personalization(lists: RecommendedLists, k: int) -> float:
    """Return 1 - the mean over pairs of users of the shared part of their lists, |L_u & L_v| / k.

    1 for a single user (Zhou et al. 2010).
    """
    times, n_lists = lists.times(k), len(lists.items)
    pairs = n_lists * (n_lists - 1) // 2
    # an item in c lists is shared by C(c, 2) pairs
    return 1 - (times * (times - 1) // 2).sum().item() / max(pairs, 1) / k


def ild_euclidean(lists: RecommendedLists, k: int) -> float | None:
    """Return the mean over users of the mean distance within a list (Ziegler et al. 2005).

    Euclidean distances; 0 for lists of one item or none, None without vectors.
    """
    return _read_diversity(lists, "ild-euclidean", k)


def ild_cosine(lists: RecommendedLists, k: int) -> float | None:
    """Return the same of 1 - cosine; a zero vector has cosine 0 with every other."""
    return _read_diversity(lists, "ild-cosine", k)


def _read_diversity(lists: RecommendedLists, kind: str, k: int) -> float | None:
    means = lists.diversity.get(kind)
    return None if means is None else means[k - 1].item()


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

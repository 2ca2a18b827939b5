"""Metrics over all draws of candidates at once, from the rank among all of them.

A metric of one target among n negatives drawn from its user's N unseen items depends on the draw.
Its mean over all draws needs none: of the K negatives that are ahead of the target, j are drawn
with the hypergeometric chance C(K, j) C(N - K, n - j) / C(N, n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from src.evaluation.catalogue import CUTOFF, METRICS, Metric
from src.evaluation.metrics import metrics_at, per_user


def expect_per_user(
    users: Tensor,
    ranks: Tensor,
    n_negatives: Tensor,
    n_drawn: int,
    ks: Sequence[int],
    metrics: Iterable[Metric] = METRICS,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute each user's metrics, expected over the draws of `n_drawn` of his negatives.

    users, ranks and n_negatives are int64 [T] as `metrics.per_user` takes them, the ranks among all
    negatives. A user with fewer negatives is ranked among those he has. -> distinct user ids [U],
    ascending, and float64 [U] by name; a user's targets each have a list of their own.
    """
    places = torch.arange(n_drawn + 1, device=ranks.device)
    # one target for each rank that a draw can give it
    values = per_user(places, places + 1, torch.full_like(places, n_drawn), ks, False, metrics)[1]
    chances = compute_draw_chances(ranks - 1, n_negatives, n_drawn)
    found, rows = users.unique(return_inverse=True)
    counts = torch.bincount(rows).double()
    return found, {
        name: torch.zeros_like(counts).index_add_(0, rows, chances @ value) / counts
        for name, value in values.items()
    }


def expected_ndcg(n_drawn: int | None, k: int = CUTOFF) -> Callable[[Tensor, Tensor], Tensor]:
    """Return NDCG@k of single targets as a function of items ahead and of all there are, both [T].

    Expected over draws of `n_drawn` of those; None: among all of them.
    """
    if n_drawn is None:
        return lambda ahead, _: metrics_at(ahead + 1, [k])[f"ndcg@{k}"]
    gains = metrics_at(torch.arange(1, n_drawn + 2), [k])[f"ndcg@{k}"]
    return lambda ahead, total: compute_draw_chances(ahead, total, n_drawn) @ gains


def compute_draw_chances(ahead: Tensor, n_negatives: Tensor, n_drawn: int) -> Tensor:
    """Compute the chance that j of the negatives ahead are drawn: float64 [T, n_drawn + 1].

    ahead, n_negatives: int64 [T], ahead <= n_negatives. Of fewer negatives than are to be drawn all
    are.
    """
    drawn = n_negatives.clamp(max=n_drawn).double()[:, None]
    total, before = n_negatives.double()[:, None], ahead.double()[:, None]
    j = torch.arange(n_drawn + 1, device=ahead.device).double()
    possible = (j <= before) & (j <= drawn) & (drawn - j <= total - before)
    logarithm = (
        _log_choose(before, j) + _log_choose(total - before, drawn - j) - _log_choose(total, drawn)
    )
    chances = logarithm.masked_fill(~possible, -torch.inf).exp()
    return chances / chances.sum(1, keepdim=True)


def _log_choose(n: Tensor, k: Tensor) -> Tensor:
    """Return the logarithm of n over k; of what is impossible anything."""
    return (
        torch.lgamma(n + 1)
        - torch.lgamma(k.clamp(min=0) + 1)
        - torch.lgamma((n - k).clamp(min=0) + 1)
    )

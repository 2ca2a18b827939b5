"""From scores of the whole catalogue to ranks and to the items recommended."""

from __future__ import annotations

import torch
from torch import Tensor

from src.data.targets import CatalogueBatch
from src.evaluation.metrics import ranks
from src.kernels.available import is_available
from src.kernels.entry import Entry

rank_rows = Entry("src.evaluation.compiled_ranks.rank_rows")
list_best = Entry("src.evaluation.compiled_ranks.list_best")


def rank_in_catalogue(scores: Tensor, batch: CatalogueBatch) -> tuple[Tensor, Tensor]:
    """Rank each target among what its user doesn't know; scores [P, n_items].

    Returns the ranks, and among how many each was ranked: both int64 [T].
    """
    if not _is_served(scores):
        masked, every = batch.known[batch.rows], scores[batch.rows]
        return ranks(scores[batch.rows, batch.targets], every, masked), (~masked).sum(1)
    found, n_negatives = torch.empty_like(batch.targets), torch.empty_like(batch.targets)
    rank_rows(
        scores.contiguous().numpy(),
        batch.known.numpy(),
        batch.rows.numpy(),
        batch.targets.numpy(),
        found.numpy(),
        n_negatives.numpy(),
    )
    return found, n_negatives


def find_best(scores: Tensor, batch: CatalogueBatch, longest: int) -> Tensor:
    """Return the items recommended to each user, best first: int64 [P, longest], else -1.

    That is what its user doesn't know, and the targets; scores [P, n_items].
    """
    left_out = batch.known.clone()
    left_out[batch.rows, batch.targets] = False
    k = min(longest, scores.shape[1])
    if not _is_served(scores):
        values, items = scores.masked_fill(left_out, -torch.inf).topk(k)
        return items.masked_fill(values == -torch.inf, -1)
    best = torch.empty(len(scores), k, dtype=torch.long)
    list_best(scores.contiguous().numpy(), left_out.numpy(), torch.empty(k).numpy(), best.numpy())
    return best


def _is_served(scores: Tensor) -> bool:
    return scores.device.type == "cpu" and scores.dtype == torch.float32 and is_available()

"""A model with its catalogue as one torch module: users in, the best items out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from src.models import Recommender


class TopK(nn.Module):
    """Returns the k best items of each user, and their scores.

    `users` int64 [B] and `seen` int64 [B, m], items to leave out, -1 where a row has fewer: both
    count from 0 as the run's ids do. Gives items int64 [B, k] and scores float32 [B, k].
    """

    every: Tensor

    def __init__(self, model: Recommender, k: int) -> None:
        super().__init__()
        self.model, self.k = model, k
        self.register_buffer("every", torch.arange(model.n_items)[None])

    def forward(self, users: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model.score(users[:, None], self.every).float()
        # one more column takes what is no item
        left_out = torch.zeros(scores.shape[0], scores.shape[1] + 1, device=scores.device)
        places = torch.where(seen < 0, scores.shape[1], seen)
        left_out = left_out.scatter(1, places, 1.0)[:, :-1]
        values, items = torch.topk(scores.masked_fill(left_out > 0, -torch.inf), self.k, dim=1)
        return items, values

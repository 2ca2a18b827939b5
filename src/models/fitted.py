"""Recommenders that are fitted to the whole training part at once, without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.models.base import Recommender, users_per_chunk


class Fitted(Recommender):
    """Learned by a formula or by sweeps over the data; its tensors are buffers, set by `store`.

    A subclass implements `fit`, and `score` or `score_all`, each of which has a default that rests
    on the other.
    """

    iterative = False
    """Whether `fit` is one sweep of many, each judged like an epoch, instead of everything."""

    rates = False
    """Whether it predicts ratings where `train` has them."""

    def fit(self, train: Interactions) -> None:
        """Learns from the training part, on the CPU; called once, or for every sweep.

        Random numbers follow from torch's own generator, which the run's seed fixes.
        """
        raise NotImplementedError

    def item_vectors(self) -> Tensor | None:
        return None

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        users, items = torch.broadcast_tensors(users, items)
        different, rows = users.unique(return_inverse=True)
        chunks = different.split(users_per_chunk(self.n_items, users.device))
        if len(chunks) == 1:
            return self.score_all(different)[rows, items]
        scores = torch.empty(users.shape, device=users.device)
        start = 0
        for chunk in chunks:
            mine = (rows >= start) & (rows < start + len(chunk))
            scores[mine] = self.score_all(chunk)[rows[mine] - start, items[mine]]
            start += len(chunk)
        return scores

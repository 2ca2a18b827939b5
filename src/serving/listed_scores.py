"""A model whose scores are lists that something else made."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.interactions import IntArray
from src.data.slices import list_positions
from src.models import Fitted


class ListedScores(Fitted):
    """Scores each user's listed items by their order; all others come last, and are tied."""

    starts: Tensor
    """int64 [n_users]: where each user's list begins in `items`."""
    counts: Tensor
    """int64 [n_users]: how long it is."""
    items: Tensor
    """int64 [n]"""
    scores: Tensor
    """float32 [n]: minus the place in the list, equal where scores were."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        nothing = torch.zeros(0, dtype=torch.long)
        none = torch.zeros(n_users, dtype=torch.long)
        self.store(starts=none, counts=none.clone(), items=nothing, scores=torch.zeros(0))

    def hold(self, users: IntArray, items: IntArray, scores: NDArray[np.float64]) -> None:
        """Take the lists: a score for each pair [n], in any order, the higher the better."""
        order = np.lexsort((-scores, users))
        users, scores = users[order], scores[order]
        counts = np.bincount(users, minlength=self.n_users)
        starts = counts.cumsum() - counts
        # places keep the order and the ties of scores that a float32 could not tell apart
        falls = np.concatenate([[False], scores[1:] < scores[:-1]]).cumsum()
        places = falls - falls[starts[users]]
        self.store(
            starts=torch.from_numpy(starts),
            counts=torch.from_numpy(counts),
            items=torch.from_numpy(items[order].astype(np.int64)),
            scores=-torch.from_numpy(places).float(),
        )
        self.trained = True

    def score_all(self, users: Tensor) -> Tensor:
        found = torch.full((len(users), self.n_items), -torch.inf)
        rows, positions = list_positions(self.starts[users], self.counts[users])
        found[rows, self.items[positions]] = self.scores[positions]
        return found

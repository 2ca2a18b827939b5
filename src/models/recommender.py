"""What every recommender here is: a module that scores user-item pairs."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.models.stored import Stored

# Pairs that score_all scores at a time: so many that the work on them outweighs its management,
# so few that the widest intermediate stays in cache (on a GPU, in memory).
PAIRS_PER_CHUNK = {"cpu": 1 << 16, "cuda": 1 << 22}


class Loss(Protocol):
    """A loss on grouped logits [P, 1+k], the positive in column 0."""

    def __call__(self, logits: Tensor) -> Tensor:
        """Scalar."""

    def gradient(self, logits: Tensor) -> Tensor:
        """Of that scalar, [P, 1+k]."""


class Recommender(Stored):
    """Scores pairs of users and items; knows nothing of Lightning, Hydra or MLflow.

    A subclass implements `score`, which broadcasts as torch does. Callers use `forward` and
    `score_all`.
    """

    explicit = False
    """Whether `differentiate` is there, which trains small batches faster than autograd."""

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items

    def observe(self, train: Interactions) -> None:
        """Takes from the training part what batches don't tell: histories, a graph, a mean.

        Called once, before training. `train.ratings` are there only when they are to be predicted.
        """

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of users int64 [..., P] with items [..., P], broadcast together."""
        raise NotImplementedError

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits: users [P] with items [P] -> [P], or users [P] with items [P, C] -> [P, C]."""
        if items.dim() == users.dim() + 1:
            # column by column, because torch broadcasts fastest over a leading dimension
            return self.score(users, items.t()).t()
        return self.score(users, items)

    def differentiate(self, users: Tensor, items: Tensor, loss: Loss, l2: float = 0.0) -> Tensor:
        """The loss of a grouped batch; sets every gradient as autograd would, only faster.

        users [P], items [P, 1+k] -> loss(forward(users, items)), a scalar. The gradients are those
        of that loss + l2 * squared_norms(users, items), and replace what was there.
        """
        raise NotImplementedError

    def score_all(self, users: Tensor) -> Tensor:
        """Logits of every item: users [P] -> [P, n_items], in chunks of users."""
        items = torch.arange(self.n_items, device=users.device)[None, :]
        step = max(1, PAIRS_PER_CHUNK[users.device.type] // self.n_items)
        return torch.cat([self.score(chunk[:, None], items) for chunk in users.split(step)])

    def user_rows(self, users: Tensor) -> Tensor:
        """What is looked up by user id, for L2: ids [...] -> [..., width]."""
        return users.new_empty((*users.shape, 0), dtype=torch.get_default_dtype())

    def item_rows(self, items: Tensor) -> Tensor:
        """What is looked up by item id, for L2: ids [...] -> [..., width]."""
        return items.new_empty((*items.shape, 0), dtype=torch.get_default_dtype())

    def item_vectors(self) -> Tensor | None:
        """Where items lie in the model's own space [n_items, width]; None if it has no such space.

        Distances between them tell how diverse a list is.
        """
        rows = self.item_rows(torch.arange(self.n_items, device=next(self.parameters()).device))
        return rows if rows.shape[-1] else None

    def squared_norms(self, users: Tensor, items: Tensor) -> Tensor:
        """Mean over the batch's examples of the squared norms of the rows each one reads; scalar.

        users [P], items [P, C]: the user's rows count once for each of its C examples, as in a loss
        that is summed over single examples.
        """
        user = self.user_rows(users).square().sum() / len(users)
        return user + self.item_rows(items).square().sum() / items.numel()

"""What every recommender here is: a module that scores user-item pairs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

# Pairs that score_all scores at a time; bounds the memory of the widest intermediate.
PAIRS_PER_CHUNK = 1 << 18


class Recommender(nn.Module):
    """Scores pairs of users and items; knows nothing of Lightning, Hydra or MLflow.

    A subclass implements `score`, which broadcasts as torch does. Callers use `forward` and
    `score_all`.
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.n_users, self.n_items = n_users, n_items

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of users int64 [..., 1 or C] with items [..., 1 or C], broadcast together."""
        raise NotImplementedError

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits: users [P] with items [P] -> [P], or users [P] with items [P, C] -> [P, C]."""
        if items.dim() == users.dim() + 1:
            return self.score(users[:, None], items)
        return self.score(users, items)

    def score_all(self, users: Tensor) -> Tensor:
        """Logits of every item: users [P] -> [P, n_items], in chunks of users."""
        items = torch.arange(self.n_items, device=users.device)[None, :]
        step = max(1, PAIRS_PER_CHUNK // self.n_items)
        return torch.cat([self.score(chunk[:, None], items) for chunk in users.split(step)])

    def user_embeddings(self) -> Iterator[nn.Embedding]:
        """The user tables, for L2 regularization."""
        return iter(())

    def item_embeddings(self) -> Iterator[nn.Embedding]:
        """The item tables, for L2 regularization."""
        return iter(())

    def squared_norms(self, users: Tensor, items: Tensor) -> Tensor:
        """Mean over the batch's examples of the squared norms of the rows each one reads; scalar.

        users [P], items [P, C]: the user's rows count once for each of its C examples, as in a loss
        that is summed over single examples.
        """
        user = [table(users).square().sum() / len(users) for table in self.user_embeddings()]
        item = [table(items).square().sum() / items.numel() for table in self.item_embeddings()]
        return torch.stack([*user, *item]).sum()

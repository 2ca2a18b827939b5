"""How NCF is usually written: what our speed and our quality are measured against.

Two loops, both our own: vectorized, as good tutorials have it, and sample by sample through a
Dataset and a DataLoader, as most ports have it. Both train the same NeuMF with torch's Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import dok_matrix
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from src.data.interactions import Interactions

FACTORS, LAYERS = 8, [64, 32, 16, 8]


class PlainNeuMF(nn.Module):
    """NeuMF with a table for each embedding and a tower on concatenated vectors.

    Without layers it is GMF.
    """

    def __init__(
        self, n_users: int, n_items: int, factors: int = FACTORS, layers: Sequence[int] = LAYERS
    ) -> None:
        super().__init__()
        width = layers[0] // 2 if layers else 0
        self.user_gmf = nn.Embedding(n_users, factors)
        self.item_gmf = nn.Embedding(n_items, factors)
        self.user_mlp, self.item_mlp = nn.Embedding(n_users, width), nn.Embedding(n_items, width)
        for table in (self.user_gmf, self.item_gmf, self.user_mlp, self.item_mlp):
            nn.init.normal_(table.weight, std=0.01)
        tower: list[nn.Module] = []
        for n_in, n_out in pairwise(layers):
            layer = nn.Linear(n_in, n_out)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
            tower += [layer, nn.ReLU()]
        self.tower = nn.Sequential(*tower)
        self.output = nn.Linear(factors + (layers[-1] if layers else 0), 1)
        bound = (3 / self.output.in_features) ** 0.5
        nn.init.uniform_(self.output.weight, -bound, bound)
        nn.init.zeros_(self.output.bias)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of users [N] with items [N] -> [N]."""
        product = self.user_gmf(users) * self.item_gmf(items)
        if not len(self.tower):
            return self.output(product).squeeze(1)
        hidden = self.tower(torch.cat([self.user_mlp(users), self.item_mlp(items)], dim=1))
        return self.output(torch.cat([product, hidden], dim=1)).squeeze(1)

    def score_grouped(self, users: Tensor, items: Tensor) -> Tensor:
        """Logits of users [P] with items [P, C] -> [P, C], by repeating the users."""
        return self(users.repeat_interleave(items.shape[1]), items.reshape(-1)).view(items.shape)


class PlainLoop:
    """The vectorized loop: an epoch's examples as tensors, shuffled, cut into batches."""

    def __init__(
        self,
        train: Interactions,
        negatives: int,
        batch_size: int,
        seed: int,
        factors: int = FACTORS,
        layers: Sequence[int] = LAYERS,
    ) -> None:
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.users, self.items = train.users.astype(np.int64), train.items.astype(np.int64)
        self.n_items, self.negatives, self.batch_size = train.n_items, negatives, batch_size
        self.seen = np.zeros((train.n_users, train.n_items), bool)
        self.seen[self.users, self.items] = True
        self.model = PlainNeuMF(train.n_users, train.n_items, factors, layers)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.loss = nn.BCEWithLogitsLoss()

    def draw(self) -> NDArray[np.int64]:
        """Negatives of all positives, [n, k], by rejection."""
        drawn = self.rng.integers(self.n_items, size=(len(self.users), self.negatives))
        while True:
            rows, columns = np.nonzero(self.seen[self.users[:, None], drawn])
            if not len(rows):
                return drawn
            drawn[rows, columns] = self.rng.integers(self.n_items, size=len(rows))

    def epoch(self, max_steps: int | None = None) -> int:
        """Trains one epoch, or its first `max_steps`; returns the number of examples."""
        drawn = self.draw()
        users = torch.from_numpy(np.concatenate([self.users, self.users.repeat(self.negatives)]))
        items = torch.from_numpy(np.concatenate([self.items, drawn.ravel()]))
        labels = torch.zeros(len(users))
        labels[: len(self.users)] = 1
        order = torch.randperm(len(users))
        batches = order.split(self.batch_size)[:max_steps]
        for batch in batches:
            loss = self.loss(self.model(users[batch], items[batch]), labels[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return sum(len(batch) for batch in batches)


class PerSample(Dataset[tuple[int, int, float]]):
    """The Dataset of the ports: negatives by one random number at a time, one example a call."""

    def __init__(self, train: Interactions, negatives: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.positives = list(zip(train.users.tolist(), train.items.tolist(), strict=True))
        self.n_items, self.negatives = train.n_items, negatives
        self.seen = dok_matrix((train.n_users, train.n_items), dtype=np.float32)
        for user, item in self.positives:
            self.seen[user, item] = 1.0
        self.examples = [(user, item, 1.0) for user, item in self.positives]

    def draw(self) -> None:
        """Negatives of all positives."""
        examples = [(user, item, 1.0) for user, item in self.positives]
        for user, _ in self.positives:
            for _ in range(self.negatives):
                item = int(self.rng.integers(self.n_items))
                while (user, item) in self.seen:
                    item = int(self.rng.integers(self.n_items))
                examples.append((user, item, 0.0))
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[int, int, float]:
        return self.examples[index]


def per_sample_epoch(data: PerSample, model: PlainNeuMF, batch_size: int) -> int:
    """One epoch over the Dataset; returns the number of examples."""
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    optimizer, loss_of = torch.optim.Adam(model.parameters(), lr=1e-3), nn.BCEWithLogitsLoss()
    for users, items, labels in loader:
        optimizer.zero_grad()
        loss_of(model(users, items), labels.float()).backward()
        optimizer.step()
    return len(data)

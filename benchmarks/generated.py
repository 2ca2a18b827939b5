"""Interactions of a data set's shape, made in memory within seconds, for measuring speed alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.interactions import IntArray, Interactions
from src.data.prepared import Prepared
from src.data.sources.synthetic import ACTIVITY_SIGMA, Synthetic
from src.data.splitting import Split
from src.data.stream import CALLS_PER_EPOCH, POSITIVES_PER_CALL, RatingStream, TrainingStream, Whole
from src.data.unseen import UnseenItems

N_CANDIDATES = 100
"""As in NVIDIA's evaluation."""
FEWEST = 20
"""What every user of MovieLens has, at least on average here."""


class Shape(NamedTuple):
    """The counts of a data set."""

    n_users: int
    n_items: int
    n_interactions: int
    skew: float = 2.5
    """Popularity is |z|^skew, z normal: with 2.5 the most popular has MovieLens-1M's share."""


def generate(shape: Shape, device: torch.device) -> Prepared:
    """Make a split whose validation has one item of each user, among sampled candidates.

    Activity and popularity are skewed as in `data=synthetic`, without its tastes: which rows a
    step reads is what its speed depends on, not whether anything can be learned.
    """
    generator = torch.Generator(device).manual_seed(0)
    users, items = draw_pairs(shape, generator)
    counts = users.bincount(minlength=shape.n_users)
    # a random one of each user's, where another is left for training
    places = (torch.rand(shape.n_users, generator=generator, device=device) * counts).long()
    chosen = (counts.cumsum(0) - counts + places)[counts >= 2]
    held = torch.zeros(len(users), dtype=torch.bool, device=device)
    held[chosen] = True
    parts = [_interactions(users[part], items[part], shape) for part in (~held, chosen, chosen[:0])]
    unseen = UnseenItems(_interactions(users, items, shape), device=device)
    drawn = _numbers(unseen.draw_distinct(users[chosen], N_CANDIDATES, generator))
    return Prepared(Split(*parts), {"val": drawn, "test": drawn[:0]}, "generated")


def draw_pairs(shape: Shape, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw distinct pairs, ordered by user: users and items, int64 [n_interactions] each."""
    device, n = generator.device, shape.n_interactions
    normal = torch.randn(shape.n_users, generator=generator, device=device, dtype=torch.double)
    extra = (ACTIVITY_SIGMA * normal).exp()
    least = min(FEWEST, n / shape.n_users / 2)
    activity = least + extra * ((n / shape.n_users - least) / extra.mean())
    normal = torch.randn(shape.n_items, generator=generator, device=device, dtype=torch.double)
    popularity = normal.abs() ** shape.skew
    pairs = torch.empty(0, dtype=torch.long, device=device)
    while (missing := n - len(pairs)) > 0:
        size = missing + missing // 4 + 1
        users = _draw_by_weight(activity, size, generator)
        pairs = torch.cat(
            [pairs, users * shape.n_items + _draw_by_weight(popularity, size, generator)]
        )
        pairs = pairs.unique()
    kept = torch.randperm(len(pairs), generator=generator, device=device)[:n]
    pairs = pairs[kept].sort().values
    return pairs // shape.n_items, pairs % shape.n_items


def _draw_by_weight(weights: Tensor, size: int, generator: torch.Generator) -> Tensor:
    ends = weights.cumsum(0)
    points = torch.rand(size, generator=generator, device=weights.device, dtype=torch.double)
    return torch.searchsorted(ends, points * ends[-1]).clamp_(max=len(weights) - 1)


def _interactions(users: Tensor, items: Tensor, shape: Shape) -> Interactions:
    return Interactions(
        _numbers(users), _numbers(items), np.arange(shape.n_users), np.arange(shape.n_items)
    )


def _numbers(ids: Tensor) -> IntArray:
    return ids.int().cpu().numpy()


class GeneratedData(InteractionDataModule):
    """The data module of prepared arrays in memory; several fits share one index of negatives."""

    def __init__(self, prepared: Prepared, options: DataOptions) -> None:
        # nothing is read from the source: the prepared arrays are there
        super().__init__(Synthetic(), options)
        self._prepared = prepared
        self._stream: TrainingStream | RatingStream | Whole | None = None

    @property
    def steps_per_call(self) -> int:
        """What Lightning is handed at a time."""
        per_batch = max(1, self.options.batch_size // (1 + self.options.negatives))
        n_steps = -(-len(self.prepared.split.train) // per_batch)
        return max(1, min(POSITIVES_PER_CALL // per_batch, n_steps // CALLS_PER_EPOCH))

    def train_dataloader(self) -> TrainingStream | RatingStream | Whole:
        if self._stream is None:
            self._stream = super().train_dataloader()
        return self._stream

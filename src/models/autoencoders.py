"""Autoencoders of a user's history (Liang et al. 2018): from its items to logits of every item."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.nn.functional import dropout, embedding_bag

from src.data.interactions import Interactions
from src.models.history import History
from src.models.recommender import Dropout, Recommender

Width = Annotated[int, Gt(0)]


class Histories(NamedTuple):
    """The items of several users, one after another."""

    items: Tensor
    """int64 [n]"""
    counts: Tensor
    """int64 [P]: how many of them are each user's."""


class Autoencoder(Recommender):
    """A subclass implements `encode`; what it returns, `decode` makes logits of.

    Learns from all of a user's items at once, with part of them dropped from the input. Whoever has
    no items is scored as an empty history is.
    """

    by_user = True

    decoder: nn.Module
    """From codes [P, width] to logits [P, n_items], its last layer a linear one."""

    def __init__(self, n_users: int, n_items: int, dropout: float) -> None:
        super().__init__(n_users, n_items)
        self.dropout = dropout
        self.history = History(n_users)

    def observe(self, train: Interactions) -> None:
        self.history.observe(train)

    def encode(self, histories: Histories) -> tuple[Tensor, Tensor]:
        """Return codes [P, width], and the sum of what is minimized beside the loss, a scalar.

        In training input is dropped and codes may be drawn.
        """
        raise NotImplementedError

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        users, items = torch.broadcast_tensors(users, items)
        different, rows = users.unique(return_inverse=True)
        return self.score_all(different)[rows, items]

    def score_all(self, users: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encode(self.read_histories(users))[0])
        return logits

    def score_rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        codes, more = self.encode(self.read_histories(users))
        return self.decoder(codes), more

    def read_histories(self, users: Tensor) -> Histories:
        """Read what users [P] have."""
        return Histories(self.history.list_pairs(users)[1], self.history.counts(users))

    def item_rows(self, items: Tensor) -> Tensor:
        *_, output = self.decoder.modules()
        weight: Tensor = output.weight  # type: ignore[assignment]
        return weight[items]

    def fold_in(self, items: Tensor) -> Tensor:
        codes, _ = self.encode(Histories(items, torch.tensor([len(items)], device=items.device)))
        logits: Tensor = self.decoder(codes)
        return logits[0]


class MultDAE(Autoencoder):
    """Mult-DAE: a denoising autoencoder with one hidden layer (Liang et al. 2018, section 2.3)."""

    def __init__(
        self, n_users: int, n_items: int, factors: Width = 200, dropout: Dropout = 0.5
    ) -> None:
        super().__init__(n_users, n_items, dropout)
        self.input = HistoryLayer(n_items, factors)
        self.decoder = make_layer(factors, n_items)

    def encode(self, histories: Histories) -> tuple[Tensor, Tensor]:
        codes = self.input(histories, self.dropout).tanh()
        return codes, codes.new_zeros(())


class MultVAE(Autoencoder):
    """Mult-VAE: codes are drawn, and kept near a standard normal (Liang et al. 2018, section 2.2).

    The divergence of a user's codes from it weighs `kl_weight`, up to which it grows over the first
    `annealing_steps` steps, linearly (section 2.2.2). Trained, the mean of the codes is taken.
    """

    steps: Tensor
    """int64: how many steps have been trained."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Width = 200,
        hidden: Width = 600,
        dropout: Dropout = 0.5,
        kl_weight: Annotated[float, Ge(0)] = 0.2,
        annealing_steps: Annotated[int, Ge(0)] = 2000,
    ) -> None:
        super().__init__(n_users, n_items, dropout)
        self.kl_weight, self.annealing_steps = kl_weight, annealing_steps
        self.input = HistoryLayer(n_items, hidden)
        self.moments = make_layer(hidden, 2 * factors)
        self.decoder = nn.Sequential(
            make_layer(factors, hidden), nn.Tanh(), make_layer(hidden, n_items)
        )
        self.store(steps=torch.zeros((), dtype=torch.long))

    def encode(self, histories: Histories) -> tuple[Tensor, Tensor]:
        hidden = self.input(histories, self.dropout).tanh()
        mean, log_variance = self.moments(hidden).chunk(2, dim=1)
        if not self.training:
            return mean, mean.new_zeros(())
        # of each code from a standard normal, in closed form
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2
        return draw_codes(mean, log_variance), self._take_weight() * divergence

    def _take_weight(self) -> Tensor:
        """Return what the divergence weighs at this step, which is counted."""
        self.steps += 1
        return self.kl_weight * (self.steps / max(self.annealing_steps, 1)).clamp(max=1)


class HistoryLayer(nn.Module):
    """A linear layer on histories, each a vector of length 1 with equal entries for its items."""

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_items, width))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_normal_(self.weight)

    def forward(self, histories: Histories, rate: float) -> Tensor:
        """Return [P, width]; in training each item is dropped with probability `rate`."""
        items, counts = histories
        entries = counts.to(self.weight.dtype).rsqrt().repeat_interleave(counts)
        entries = dropout(entries, rate, self.training)
        return self.bias + embedding_bag(
            items, self.weight, counts.cumsum(0) - counts, mode="sum", per_sample_weights=entries
        )


def make_layer(n: int, width: int) -> nn.Linear:
    """Make a linear layer as the papers' code does: normal weights, biases of 0."""
    layer = nn.Linear(n, width)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def draw_codes(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw from normals, such that gradients reach both: [P, width]."""
    return torch.addcmul(mean, torch.randn_like(mean), (log_variance / 2).exp())

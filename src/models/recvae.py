"""A variational autoencoder whose encoder and decoder learn in turn (Shenbin et al. 2020)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import layer_norm, linear, silu

from src.models.autoencoders import (
    Autoencoder,
    Histories,
    HistoryLayer,
    Width,
    draw_codes,
    make_layer,
)
from src.models.recommender import Dropout

# Of the standard normal, of the codes before, and of a wide normal, whose log variance is 10
MIXTURE = 3 / 20, 3 / 4, 1 / 10
WIDE = 10.0
# Hidden layers, and what steadies their normalization, as in the paper's code
N_HIDDEN = 5
NORM_EPS = 0.1


class DenseEncoder(nn.Module):
    """Five layers, each of which sees the sum of all before it."""

    def __init__(self, n_items: int, hidden: int, factors: int) -> None:
        super().__init__()
        self.input = HistoryLayer(n_items, hidden)
        self.layers = nn.ModuleList(make_layer(hidden, hidden) for _ in range(N_HIDDEN - 1))
        self.moments = make_layer(hidden, 2 * factors)

    def forward(self, histories: Histories, rate: float) -> tuple[Tensor, Tensor]:
        """Return means and log variances of codes [P, factors]; `rate` of the items is dropped."""
        hidden = self._normalize(self.input(histories, rate))
        total = hidden
        for layer in self.layers:
            hidden = self._normalize(layer(hidden) + total)
            total = total + hidden
        mean, log_variance = self.moments(hidden).chunk(2, dim=1)
        return mean, log_variance

    def _normalize(self, sums: Tensor) -> Tensor:
        return layer_norm(silu(sums), sums.shape[1:], eps=NORM_EPS)


class RecVAE(Autoencoder):
    """Codes near those of the epochs before and near a normal: a composite prior.

    Of every `encoder_epochs` + 1 epochs, the encoder learns in the first, and the decoder, without
    dropout, in the last; before it, the encoder becomes the one of the prior. A
    user's divergence from the prior weighs `kl_weight` times the number of the user's items.
    """

    epoch: Tensor
    """int64: the epoch that is trained."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Width = 200,
        hidden: Width = 600,
        dropout: Dropout = 0.5,
        kl_weight: Annotated[float, Ge(0)] = 0.005,
        encoder_epochs: Annotated[int, Gt(0)] = 3,
    ) -> None:
        super().__init__(n_users, n_items, dropout)
        self.kl_weight, self.encoder_epochs = kl_weight, encoder_epochs
        self.encoder = DenseEncoder(n_items, hidden, factors)
        self.decoder = make_layer(factors, n_items)
        self.store(epoch=torch.zeros((), dtype=torch.long))
        self._keep_encoder()

    def begin_epoch(self, epoch: int) -> None:
        self.epoch.fill_(epoch)
        if self._teaches_decoder():
            self._keep_encoder()

    def encode(self, histories: Histories) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(histories, self.dropout)
        if not self.training:
            return mean, mean.new_zeros(())
        codes = draw_codes(mean, log_variance)
        nearness = log_normal(codes, mean, log_variance) - self._log_prior(histories, codes)
        return codes, self.kl_weight * (nearness.sum(1) @ histories.counts.to(codes.dtype))

    def score_rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Let gradients reach the encoder or the decoder, by the epoch."""
        histories = self.read_histories(users)
        if not self._teaches_decoder():
            codes, more = self.encode(histories)
            return linear(codes, *(p.detach() for p in self.decoder.parameters())), more
        with torch.no_grad():
            codes = draw_codes(*self.encoder(histories, 0.0))
        return self.decoder(codes), codes.new_zeros(())

    def _teaches_decoder(self) -> bool:
        return int(self.epoch) % (self.encoder_epochs + 1) == self.encoder_epochs

    def _keep_encoder(self) -> None:
        """Make the encoder that of the prior from now on."""
        weights = self.encoder.named_parameters()
        self.store(**{_kept(name): weight.detach().clone() for name, weight in weights})

    @torch.no_grad()
    def _encode_as_before(self, histories: Histories) -> tuple[Tensor, Tensor]:
        """Return moments by the encoder that was kept, of all items: [P, factors] each."""
        names = [name for name, _ in self.encoder.named_parameters()]
        kept = {name: self.get_buffer(_kept(name)) for name in names}
        moments: tuple[Tensor, Tensor] = functional_call(self.encoder, kept, (histories, 0.0))
        return moments

    def _log_prior(self, histories: Histories, codes: Tensor) -> Tensor:
        """Return the log density of codes under the composite prior [P, factors]."""
        zero = codes.new_zeros(())
        parts = (
            log_normal(codes, zero, zero),
            log_normal(codes, *self._encode_as_before(histories)),
            log_normal(codes, zero, zero + WIDE),
        )
        weighted = [part + math.log(w) for part, w in zip(parts, MIXTURE, strict=True)]
        return torch.stack(weighted).logsumexp(0)


def log_normal(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the log density of each x under its normal; broadcasts."""
    squared = (x - mean).square() * (-log_variance).exp()
    return -0.5 * (log_variance + math.log(2 * math.pi) + squared)


def _kept(name: str) -> str:
    """Name the buffer of a weight of the prior's encoder: no dots may be in it."""
    return f"kept_{name.replace('.', '_')}"

"""Causal self-attention over sequences of items (Kang & McAuley 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

# Of embeddings, so that scores begin near 0
EMBEDDING_STD = 0.02


class SequenceEncoder(nn.Module):
    """Turns items in order into a state at every place, of this item and those before it."""

    def __init__(
        self, n_items: int, factors: int, length: int, num_blocks: int, dropout: float
    ) -> None:
        """Make an encoder of at most `length` items; the id n_items is the start of a history."""
        super().__init__()
        self.factors, self.length, self.start = factors, length, n_items
        self.items = nn.Embedding(n_items + 1, factors)
        self.places = nn.Embedding(length, factors)
        nn.init.normal_(self.items.weight, std=EMBEDDING_STD)
        nn.init.normal_(self.places.weight, std=EMBEDDING_STD)
        self.blocks = nn.ModuleList(Block(factors, dropout) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(factors)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequences: Tensor, counts: Tensor) -> Tensor:
        """Return states [P, L, factors] of sequences int64 [P, L], the first `counts` [P] places.

        Places are counted from the end of each sequence, so that the last is always the same
        (section 3.1). What lies behind a sequence's end is of no consequence, as no place looks
        ahead.
        """
        every = torch.arange(sequences.shape[1], device=sequences.device)
        from_end = (counts[:, None] - 1 - every).clamp(min=0)
        states = self.items(sequences) * self.factors**0.5 + self.places(from_end)
        states = self.dropout(states)
        for block in self.blocks:
            states = block(states)
        normalized: Tensor = self.norm(states)
        return normalized


class Block(nn.Module):
    """Self-attention with one head, and a network at each place (sections 3.2 and 3.3).

    Normalized before each, as in equation 7. Weights of attention aren't dropped, unlike in the
    paper: torch's fast attention on CPUs knows no dropout.
    """

    def __init__(self, factors: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(factors)
        self.projections = nn.Linear(factors, 3 * factors, bias=False)
        self.network_norm = nn.LayerNorm(factors)
        self.network = nn.Sequential(
            nn.Linear(factors, factors), nn.ReLU(), nn.Dropout(dropout), nn.Linear(factors, factors)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return the states after the block: [P, L, factors]."""
        projected = self.projections(self.attention_norm(states))[:, None]
        query, key, value = projected.chunk(3, dim=-1)
        attended = scaled_dot_product_attention(query, key, value, is_causal=True)[:, 0]
        states = states + self.dropout(attended)
        changed: Tensor = self.dropout(self.network(self.network_norm(states)))
        return states + changed

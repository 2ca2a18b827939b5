"""Models that read a user's interactions in the order of time, each predicted from those before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Le
from torch import Tensor

from src.data.interactions import Interactions
from src.models.history import OrderedHistory
from src.models.recommender import Dropout, Factors, Knowledge, Recommender
from src.models.sequence_encoder import SequenceEncoder

Length = Annotated[int, Ge(1)]
NumBlocks = Annotated[int, Ge(1), Le(100)]

# Sequences that are padded to the longest of them: few enough to be alike when sorted by length and
# for their states to stay in cache, many enough that the work outweighs its management.
SEQUENCES_TOGETHER = 16


class Windows(NamedTuple):
    """Parts of users' histories, at most as long as the encoder reads."""

    rows: Tensor
    """int64 [W]: whose each is, as a place in some list of users."""
    first: Tensor
    """int64 [W]: where it begins among all histories' items; one before a history is its start."""
    counts: Tensor
    """int64 [W]: its length."""

    def split_by_length(self) -> Iterator[Windows]:
        """Yield windows of like lengths together."""
        for chosen in self.counts.argsort(stable=True).split(SEQUENCES_TOGETHER):
            yield Windows(*(part[chosen] for part in self))


class SequentialRecommender(Recommender):
    """Scores what comes next from the state of a user's history after its last item.

    A subclass implements `match`, and `describe` where it knows more of users. In training every
    interaction is predicted from the state after those before it; a long history is read in
    windows, the last one full. Users without times are scored as an empty history is.
    """

    knows: Knowledge = "order"
    sequential = True

    def __init__(self, n_users: int, n_items: int, encoder: SequenceEncoder) -> None:
        super().__init__(n_users, n_items)
        self.encoder = encoder
        self.history = OrderedHistory(n_users)

    def observe(self, train: Interactions) -> None:
        self.history.observe(train)

    def describe(self, users: Tensor, states: Tensor) -> Tensor:
        """Return vectors of users [P] in states [P, L, factors]: [P, L, width]."""
        return states

    def match(self, vectors: Tensor, items: Tensor) -> Tensor:
        """Return logits of items for users' vectors [P, L, width]: [P, L, C].

        items are [P, L, C] or, for all of a user's vectors, [P, 1, C] or [1, 1, C].
        """
        raise NotImplementedError

    def match_all(self, vectors: Tensor) -> Tensor:
        """Return logits of every item for a vector of each user: [P, width] -> [P, n_items]."""
        every = torch.arange(self.n_items, device=vectors.device)[None, None]
        return self.match(vectors[:, None], every)[:, 0]

    def score_places(self, users: Tensor, negatives: Tensor) -> Tensor:
        windows = self._list_windows(users)
        logits = [
            self._score_windows(users[part.rows], negatives[part.rows], part)
            for part in windows.split_by_length()
        ]
        return torch.cat(logits)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        users, items = torch.broadcast_tensors(users, items)
        different, rows = users.unique(return_inverse=True)
        vectors = self.describe_last(different)[rows.flatten()]
        scores = self.match(vectors[:, None], items.reshape(-1, 1, 1))
        return scores.view(users.shape)

    def score_all(self, users: Tensor) -> Tensor:
        return self.match_all(self.describe_last(users))

    def score_candidates(self, users: Tensor, items: Tensor) -> Tensor:
        return self.match(self.describe_last(users)[:, None], items[:, None])[:, 0]

    def describe_last(self, users: Tensor) -> Tensor:
        """Return vectors of users after their last items: [P] -> [P, width]."""
        starts, ends = self.history.starts[users], self.history.starts[users + 1]
        first = torch.maximum(starts - 1, ends - self.encoder.length)
        windows = Windows(torch.arange(len(users), device=users.device), first, ends - first)
        states, rows = [], []
        for part in windows.split_by_length():
            every = self.encoder(self._read(part.first, part, starts[part.rows]), part.counts)
            states.append(every[torch.arange(len(every)), part.counts - 1])
            rows.append(part.rows)
        last = torch.cat(states)[torch.cat(rows).argsort()]
        return self.describe(users, last[:, None])[:, 0]

    def encode_items(self, items: Tensor) -> Tensor:
        """Return the state after a history in order of time: [n] -> [factors]."""
        started = torch.cat([items.new_full((1,), self.encoder.start), items])
        sequence = started[-self.encoder.length :]
        counts = torch.tensor([len(sequence)], device=items.device)
        states: Tensor = self.encoder(sequence[None], counts)
        return states[0, -1]

    def item_rows(self, items: Tensor) -> Tensor:
        rows: Tensor = self.encoder.items(items)
        return rows

    def _list_windows(self, users: Tensor) -> Windows:
        """List windows that have every interaction of `users` once, from each history's end on."""
        length = self.encoder.length
        starts, counts = self.history.starts[users], self.history.counts(users)
        n_windows = -(-counts // length)
        rows = torch.repeat_interleave(n_windows)
        back = torch.arange(len(rows), device=users.device)
        back = back - (n_windows.cumsum(0) - n_windows)[rows]
        ends = (starts + counts)[rows] - back * length
        first = torch.maximum(starts[rows], ends - length)
        return Windows(rows, first, ends - first)

    def _score_windows(self, users: Tensor, negatives: Tensor, windows: Windows) -> Tensor:
        """Return logits [n, 1+k] of what is in the windows, and of `negatives` [W, k]."""
        starts = self.history.starts[users]
        inputs = self._read(windows.first - 1, windows, starts)
        # once for all items: what is dropped is the same for the positive and its negatives
        vectors = self.describe(users, self.encoder(inputs, windows.counts))
        positives = self._read(windows.first, windows, starts)
        inside = torch.arange(inputs.shape[1], device=users.device) < windows.counts[:, None]
        logits = [
            self.match(vectors, positives[:, :, None]),
            self.match(vectors, negatives[:, None]),
        ]
        return torch.cat(logits, dim=2)[inside]

    def _read(self, first: Tensor, windows: Windows, starts: Tensor) -> Tensor:
        """Read items from the places `first` [W] on: [W, L], with a start before `starts` [W].

        Anything may stand behind a window's end.
        """
        every = torch.arange(int(windows.counts.max()), device=first.device)
        places = first[:, None] + every
        items = self.history.items[places.clamp(0, len(self.history.items) - 1)]
        return items.where(places >= starts[:, None], items.new_tensor(self.encoder.start))


class SASRec(SequentialRecommender):
    """Self-attentive sequential recommendation (Kang & McAuley 2018).

    The logit of an item is the product of its embedding with the state, as in equation 5. With
    many negatives and `loss=softmax` it keeps up with later models (Petrov & Macdonald 2023).
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 50,
        length: Length = 200,
        num_blocks: NumBlocks = 2,
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__(
            n_users, n_items, SequenceEncoder(n_items, factors, length, num_blocks, dropout)
        )

    def match(self, vectors: Tensor, items: Tensor) -> Tensor:
        return multiply(vectors, self.encoder.items(items))

    def match_all(self, vectors: Tensor) -> Tensor:
        return vectors @ self.encoder.items.weight[:-1].t()

    def fold_in(self, items: Tensor) -> Tensor:
        return self.encoder.items.weight[:-1] @ self.encode_items(items)


def multiply(vectors: Tensor, rows: Tensor) -> Tensor:
    """Return products of vectors [P, L, width] with rows [P, L or 1, C, width]: [P, L, C]."""
    if rows.shape[1] == 1:
        return vectors @ rows[:, 0].transpose(1, 2)
    return (rows * vectors[:, :, None]).sum(3)

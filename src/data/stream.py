"""The training examples of an epoch: a pure function of (seed, epoch, step)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from src.data.interactions import Interactions
from src.data.slices import ItemsByUser, list_positions
from src.data.unseen import Unseen

# Negatives are drawn for about this many positives at a time: large enough that the cost of
# calling torch vanishes, small enough to stay in cache and to start at once.
POSITIVES_PER_BLOCK = 1 << 16


# Lightning's own work costs more than a step on a small batch: it is handed so many positives, or
# ratings, at a time as take a few hundredths of a second, and at most a sixteenth of an epoch.
POSITIVES_PER_CALL = 1 << 14
CALLS_PER_EPOCH = 16


class Batch(NamedTuple):
    """Positives with their negatives, grouped: a user's row is read once for its 1+k examples."""

    users: Tensor
    """int64 [P]"""
    items: Tensor
    """int64 [P, 1+k], with the positive in column 0."""


@dataclass(frozen=True)
class Batches:
    """Successive steps' batches, side by side in memory."""

    users: Tensor
    """int64 [n]"""
    items: Tensor
    """int64 [n, 1+k]"""
    per_batch: int
    epoch: int
    step: int
    """The first batch's."""

    def __len__(self) -> int:
        return -(-len(self.users) // self.per_batch)

    def __iter__(self) -> Iterator[Batch]:
        n = self.per_batch
        return map(Batch, self.users.split(n), self.items.split(n))


class RatingBatch(NamedTuple):
    """Pairs, and the ratings that are to be predicted for them."""

    users: Tensor
    """int64 [P]"""
    items: Tensor
    """int64 [P]"""
    ratings: Tensor
    """float32 [P]"""


class UserBatch(NamedTuple):
    """Users, each with every item that the user has in training."""

    users: Tensor
    """int64 [P]"""
    rows: Tensor
    """int64 [n]: whose interaction, as a place in `users`."""
    items: Tensor
    """int64 [n]"""
    negatives: Tensor
    """int64 [P, k]: items that the user has not; k may be 0."""


AnyBatch = TypeVar("AnyBatch", Batch, RatingBatch, UserBatch)
OneBatch = Batch | RatingBatch | UserBatch
"""What a step is taken on."""
AnyBatches = Batches | Sequence[RatingBatch] | Sequence[UserBatch]
"""What Lightning is handed at a time."""


def count_examples(batches: AnyBatches) -> int:
    """Return how many pairs the batches hold."""
    if isinstance(batches, Batches):
        return batches.items.numel()
    return sum(batch.items.numel() for batch in batches)


def derive_seed(*keys: int) -> int:
    """Derive one well-mixed 63-bit seed from several small integers."""
    # SeedSequence pads with zeros: without their number, (1, 2) and (1, 2, 0) would be the same
    sequence = np.random.SeedSequence((len(keys), *keys))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


class Stream(Generic[AnyBatch]):
    """The training interactions, each once an epoch, in fresh random order.

    It has no iterator state that matters: `batch(epoch, step)` returns the same tensors whenever
    and in whatever order it is called, which is what resuming, several processes and the tests rest
    on. Of several processes each draws the whole batch, and trains its part of it.
    """

    rows_read: int
    """The number of embedding rows that a step looks up."""

    def __init__(self, users: Tensor, items: Tensor, per_batch: int, seed: int) -> None:
        """Take interactions `users` [n], `items` [n], int32 or int64; a step has `per_batch`."""
        self.users, self.items, self.per_batch, self.seed = users, items, per_batch, seed
        most = min(POSITIVES_PER_CALL // per_batch, self.n_steps // CALLS_PER_EPOCH)
        self.steps_per_call = max(1, most)
        self.epoch = 0
        self._calls = 0
        self._goes_on = -1, 0
        """The epoch that was cut off, and how many of its lists of batches were trained on."""
        self._order: tuple[int, Tensor] | None = None

    @property
    def sampler(self) -> Stream[AnyBatch]:
        """The object on which Lightning calls `set_epoch` before every epoch: the stream itself."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration is of."""
        self.epoch = epoch

    @property
    def n_steps(self) -> int:
        """The number of steps in an epoch."""
        return -(-len(self.users) // self.per_batch)

    def __len__(self) -> int:
        """Return the number of lists of batches in an epoch."""
        return -(-self.n_steps // self.steps_per_call)

    def __iter__(self) -> Iterator[Sequence[AnyBatch]]:
        # a generator: a resumed Lightning asks for the iterator before it says which epoch it is in
        epoch, done = self._goes_on
        self._calls = done if epoch == self.epoch else 0
        for first in range(self._calls * self.steps_per_call, self.n_steps, self.steps_per_call):
            last = min(first + self.steps_per_call, self.n_steps)
            yield self.take(self.epoch, first, last)
            self._calls += 1

    def state_dict(self) -> dict[str, int]:
        """Return where the epoch stands: what was yielded last counts when more is asked for."""
        return {"epoch": self.epoch, "calls": self._calls}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on there when this epoch is iterated."""
        self._goes_on = state["epoch"], state["calls"]

    def take(self, epoch: int, first: int, last: int) -> Any:
        """Return the batches of the steps from `first` to before `last`."""
        return [self.batch(epoch, step) for step in range(first, last)]

    def batch(self, epoch: int, step: int) -> AnyBatch:
        """Return the batch of that step; the last of an epoch may be smaller."""
        raise NotImplementedError

    def _draw_epoch_order(self, epoch: int) -> Tensor:
        """Return the epoch's permutation of the interactions."""
        if self._order is None or self._order[0] != epoch:
            n, device = len(self.users), self.users.device
            generator = self._make_generator(epoch)
            order = torch.randperm(n, generator=generator, dtype=torch.int32, device=device)
            self._order = epoch, order
        return self._order[1]

    def _make_generator(self, *keys: int) -> torch.Generator:
        return torch.Generator(self.users.device).manual_seed(derive_seed(self.seed, *keys))


class TrainingStream(Stream[Batch]):
    """A stream of every positive with k fresh negatives."""

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        unseen: Unseen,
        negatives: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Take positives, and draw negatives from `unseen`; `batch_size` is P * (1 + negatives)."""
        per_batch = max(1, batch_size // (1 + negatives))
        super().__init__(users, items, per_batch, seed)
        self.unseen, self.negatives = unseen, negatives
        self.rows_read = per_batch * (2 + negatives)
        calls = max(1, POSITIVES_PER_BLOCK // (per_batch * self.steps_per_call))
        self.steps_per_block = calls * self.steps_per_call
        self._block: tuple[tuple[int, int], Batch] | None = None

    def batch(self, epoch: int, step: int) -> Batch:
        (batch,) = self.take(epoch, step, step + 1)
        return batch

    def take(self, epoch: int, first: int, last: int) -> Batches:
        """Return the batches of steps of one block, such as those of a call."""
        block, offset = divmod(first, self.steps_per_block)
        users, items = self._draw_block(epoch, block)
        end = offset + last - first
        part = slice(offset * self.per_batch, end * self.per_batch)
        return Batches(users[part], items[part], self.per_batch, epoch, first)

    def _draw_block(self, epoch: int, block: int) -> Batch:
        if self._block is None or self._block[0] != (epoch, block):
            size = self.steps_per_block * self.per_batch
            chosen = self._draw_epoch_order(epoch)[block * size : (block + 1) * size]
            users = self.users.index_select(0, chosen).long()
            positives = self.items.index_select(0, chosen).long()
            generator = self._make_generator(epoch, 0, block)
            drawn = self.unseen.draw(users, self.negatives, generator)
            batch = Batch(users, torch.cat([positives[:, None], drawn], 1))
            self._block = (epoch, block), batch
        return self._block[1]


class RatingStream(Stream[RatingBatch]):
    """A stream of every rating, `batch_size` a step; no negatives."""

    def __init__(
        self, users: Tensor, items: Tensor, ratings: Tensor, batch_size: int, seed: int
    ) -> None:
        """Take pairs `users` [n], `items` [n] and their `ratings`, float32 [n]."""
        super().__init__(users, items, batch_size, seed)
        self.ratings = ratings
        self.rows_read = 2 * batch_size

    def batch(self, epoch: int, step: int) -> RatingBatch:
        chosen = self._draw_epoch_order(epoch)[step * self.per_batch : (step + 1) * self.per_batch]
        users = self.users.index_select(0, chosen).long()
        items = self.items.index_select(0, chosen).long()
        return RatingBatch(users, items, self.ratings.index_select(0, chosen))


class UserStream(Stream[UserBatch]):
    """A stream of every user who has items, `batch_size` a step, with all of them.

    Where it knows what users have not, each has fresh negatives, too.
    """

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        n_users: int,
        n_items: int,
        batch_size: int,
        seed: int,
        unseen: Unseen | None = None,
        negatives: int = 0,
    ) -> None:
        """Take interactions `users` [n], `items` [n]; in an epoch's order there is each user.

        `negatives` are drawn from `unseen` for each user of a batch.
        """
        self.by_user = ItemsByUser(users.long(), items.long(), n_users, n_items)
        super().__init__(self.by_user.counts.nonzero()[:, 0], items, batch_size, seed)
        # whoever is scored on every item has every item's row read
        self.rows_read = n_users + n_items
        self.unseen, self.negatives = unseen, negatives

    def batch(self, epoch: int, step: int) -> UserBatch:
        chosen = self._draw_epoch_order(epoch)[step * self.per_batch : (step + 1) * self.per_batch]
        users = self.users.index_select(0, chosen)
        rows, places = list_positions(self.by_user.starts[users], self.by_user.counts[users])
        items = self.by_user.items.index_select(0, places)
        return UserBatch(users, rows, items, self._draw_negatives(users, epoch, step))

    def _draw_negatives(self, users: Tensor, epoch: int, step: int) -> Tensor:
        if self.unseen is None:
            return users.new_empty((len(users), 0))
        return self.unseen.draw(users, self.negatives, self._make_generator(epoch, 0, step))


class Whole:
    """A loader of the training part in one piece, once an epoch."""

    def __init__(self, train: Interactions) -> None:
        self.train = train

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Interactions]:
        yield self.train

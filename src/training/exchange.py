"""What processes that train one model together tell each other at every step.

Weights are the same on all of them, and stay so to the last bit: what is added up is added up in
one order everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
import torch.distributed as dist
from torch import Tensor

from src.data.share import Share

BYTES_OF_ID = 4


class Exchange:
    """Collective operations of the default process group, on tensors of its device."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self.bytes_sent = 0
        """What this process handed over for the others so far, each tensor counted once."""

    def gather_parts(self, part: Tensor, n: int) -> list[Tensor]:
        """Return every process's part of n rows, in order; `part` is this one's share of them."""
        sizes = [self._size(n, rank) for rank in range(self.share.world_size)]
        return self._gather(part, sizes)

    def gather_rows(self, ids: Tensor, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return every process's ids int64 [R] and rows [R, width], in order.

        R may differ between processes. An id travels as 32 bits in front of its row.
        """
        sizes = self._gather_size(len(ids))
        told = torch.cat([_as_bytes(ids.int()[:, None]), _as_bytes(rows)], 1)
        return [
            (
                one[:, :BYTES_OF_ID].contiguous().view(torch.int32)[:, 0].long(),
                one[:, BYTES_OF_ID:].contiguous().view(rows.dtype),
            )
            for one in self._gather(told, sizes)
        ]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Add each tensor up over the processes, in place; all of one type travel as one."""
        for _, same in groupby(sorted(tensors, key=_type_of), key=_type_of):
            alike = list(same)
            together = torch.cat([tensor.reshape(-1) for tensor in alike])
            self._count(together)
            dist.all_reduce(together)
            parts = together.split([tensor.numel() for tensor in alike])
            for tensor, total in zip(alike, parts, strict=True):
                tensor.copy_(total.view_as(tensor))

    def _size(self, n: int, rank: int) -> int:
        part = Share(rank, self.share.world_size).of(n)
        return part.stop - part.start

    def _gather_size(self, size: int) -> list[int]:
        mine = torch.tensor([size], device=self._device)
        every = mine.new_empty(self.share.world_size)
        self._count(mine)
        dist.all_gather(list(every.split(1)), mine)
        return every.tolist()

    def _gather(self, mine: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Join tensors that have `sizes` rows: collectives want one size, so all are padded."""
        longest = max(sizes)
        if not longest:
            return [mine] * len(sizes)
        padded = mine.new_zeros(longest, *mine.shape[1:])
        padded[: len(mine)] = mine
        every = [torch.empty_like(padded) for _ in sizes]
        self._count(padded)
        dist.all_gather(every, padded)
        return [one[:size] for one, size in zip(every, sizes, strict=True)]

    def _count(self, sent: Tensor) -> None:
        self.bytes_sent += sent.numel() * sent.element_size()

    @property
    def _device(self) -> torch.device:
        if dist.get_backend() == "nccl":
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("cpu")


def _type_of(tensor: Tensor) -> str:
    return str(tensor.dtype)


def _as_bytes(rows: Tensor) -> Tensor:
    """Return rows [R, n] as they lie in memory, uint8 [R, n * bytes of a number]."""
    return rows.contiguous().view(torch.uint8)

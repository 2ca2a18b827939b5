"""Steps that several processes take together, each on its part of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from src.data.stream import OneBatch, UserBatch
from src.models.embedding_table import EmbeddingTable, RowKeeper
from src.training.exchange import Exchange
from src.training.steps import TorchSteps

if TYPE_CHECKING:
    from src.models.recommender import Loss
    from src.training.losses import RatingLoss, UserLoss
    from src.training.module import RecommenderModule


class SharedSteps(TorchSteps):
    """Steps by torch with the gradients that one process would find for the whole batch.

    Gradients of embedding rows travel as ids and rows, so that what is sent follows the batch and
    not the catalogue; those of other parameters are added up. Every process then takes the same
    step.
    """

    def __init__(
        self,
        module: RecommenderModule,
        optimizer: torch.optim.Optimizer,
        exchange: Exchange,
        *,
        explicit: bool,
    ) -> None:
        super().__init__(module, optimizer, explicit=explicit)
        self.exchange = exchange
        self.loss = SharedLoss(module.loss, exchange)
        self.tables = [
            SharedTable(part, exchange)
            for part in module.model.modules()
            if isinstance(part, EmbeddingTable) and not part.sparse
        ]

    def differentiate(self, batch: OneBatch) -> Tensor:
        """Return the loss of the whole batch, and set or keep the gradients of it."""
        assert not isinstance(batch, UserBatch), "refused by choose_steps"
        n = len(batch.users)
        mine = self.exchange.share.of(n)
        self.loss.begin(n)
        # what has no part takes the first example for its own, whose scores nobody hears of: its
        # gradients are there, and are zeros
        shown = mine if mine.start < mine.stop else slice(0, 1)
        weight = (mine.stop - mine.start) / n
        part = type(batch)(*(tensor[shown] for tensor in batch))
        for table in self.tables:
            table.begin()
        value = self.find_gradients(part, self.loss, self.module.l2 * weight)
        self._share_gradients()
        return value

    def _share_gradients(self) -> None:
        for table in self.tables:
            table.share()
        kept = {table.module.weight for table in self.tables}
        others = [p for p in self.module.parameters() if p.grad is not None and p not in kept]
        for parameter in others:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = self._share_sparse(parameter.grad)
        dense = [p.grad for p in others if p.grad is not None and not p.grad.is_sparse]
        if dense:
            self.exchange.add_up(dense)

    def _share_sparse(self, gradient: Tensor) -> Tensor:
        mine = gradient.coalesce()
        found = self.exchange.gather_rows(mine.indices()[0], mine.values())
        ids, rows = (torch.cat(parts) for parts in zip(*found, strict=True))
        return torch.sparse_coo_tensor(ids[None], rows, gradient.shape).coalesce()

    def release(self) -> None:
        """Give tables their readers back."""
        for table in self.tables:
            table.release()


class SharedLoss:
    """A loss of the whole batch, with the gradient of this process's part of it.

    It sees the scores of all processes, so that it may be anything but a mean as well.
    """

    def __init__(self, loss: Loss | RatingLoss | UserLoss, exchange: Exchange) -> None:
        self.loss, self.exchange = cast("Any", loss), exchange
        self._n = 0
        self._whole: Tensor | None = None

    def begin(self, n: int) -> None:
        """Say how many rows the scores of the next batch have on all processes."""
        self._n, self._whole = n, None

    def __call__(self, scores: Tensor, *more: Tensor) -> Tensor:
        """Return the whole batch's loss; `more` is given to the loss beside the scores."""
        whole = self._gather(scores) if self._whole is None else self._whole
        return self.loss(whole, *(self._gather(one) for one in more))

    def gradient(self, scores: Tensor) -> Tensor:
        """Return the gradient by the scores of this part: zeros where it is none."""
        self._whole = self._gather(scores)
        mine = self.exchange.share.of(self._n)
        gradient = torch.zeros_like(scores)
        gradient[: mine.stop - mine.start] = self.loss.gradient(self._whole)[mine]
        return gradient

    def _gather(self, mine: Tensor) -> Tensor:
        """Return the rows of all processes, with those of this one as they are, for autograd."""
        place = self.exchange.share.of(self._n)
        mine = mine[: place.stop - place.start]
        parts = self.exchange.gather_parts(mine.detach(), self._n)
        parts[self.exchange.share.rank] = mine
        return torch.cat(parts)


class SharedTable:
    """A keeper of a table's rows that gives gradients to all processes before they are taught."""

    def __init__(self, module: EmbeddingTable, exchange: Exchange) -> None:
        self.module, self.exchange = module, exchange
        self.rows: RowKeeper = module.keeper or DenseRows(module)
        self._inner = module.keeper
        self._told: list[tuple[Tensor, Tensor]] = []
        module.keeper = self

    def begin(self) -> None:
        """Drop the gradients of the last step."""
        self._told = []
        if self._inner is None:
            self.module.weight.grad = None

    def read(self, ids: Tensor) -> Tensor:
        return self.rows.read(ids)

    def add_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        self._told.append((ids, gradient))

    def share(self) -> None:
        """Apply the gradients of all processes, in their order, each row of one at once."""
        mine = self._sum_repeated()
        for rank, (ids, gradient) in enumerate(self.exchange.gather_rows(*mine)):
            if rank != self.exchange.share.rank:
                self.rows.read(ids)
            self.rows.add_gradient(ids, gradient)

    def _sum_repeated(self) -> tuple[Tensor, Tensor]:
        """Return each id once with the sum of its gradients.

        What is added up once, here, is the same everywhere, also where the order is by chance.
        """
        weight = self.module.weight
        if not self._told:
            none = torch.zeros(0, dtype=torch.long, device=weight.device)
            return none, weight.new_zeros(0, weight.shape[1])
        ids, gradients = (torch.cat(parts) for parts in zip(*self._told, strict=True))
        different, places = ids.unique(return_inverse=True)
        rows = weight.new_zeros(len(different), weight.shape[1])
        return different, rows.index_add_(0, places, gradients)

    def release(self) -> None:
        """Give the table the reader back that it had."""
        if self.module.keeper is self:  # and an optimizer did not take its own back before
            self.module.keeper = self._inner


class DenseRows:
    """Reads a table's weight, and adds gradients to its `grad`."""

    def __init__(self, module: EmbeddingTable) -> None:
        self.module = module

    def read(self, ids: Tensor) -> Tensor:
        return self.module.weight.detach().index_select(0, ids)

    def add_gradient(self, ids: Tensor, gradient: Tensor) -> None:
        weight = self.module.weight
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        weight.grad.index_add_(0, ids, gradient)

"""How much an item was in demand lately: a prior that knows when, and nothing of any user."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor

from src.data.interactions import Interactions
from src.errors import UserError
from src.models.fitted import Fitted
from src.models.recommender import Knowledge


class Lateness(Fitted):
    """Scores an item by how much more often it is among users' last interactions than elsewhere.

    log((L_i + prior) / (E_i + prior)), where L_i counts item i among the last `last` training
    interactions of each user with times, and E_i is what its share of all of theirs would give.
    Users without times count nowhere.
    """

    knows: Knowledge = "times"

    lateness: Tensor
    """float [n_items]"""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        last: Annotated[int, Ge(1)] = 15,
        prior: Annotated[float, Gt(0)] = 3.0,
    ) -> None:
        super().__init__(n_users, n_items)
        self.last, self.prior = last, prior
        self.store(lateness=torch.zeros(n_items))

    def fit(self, train: Interactions) -> None:
        timed = train.timed_users()[train.users]
        if not timed.any():
            raise UserError("model=lateness: nobody has times here; ncf-ml-1m takes data.times")
        own = train.take(timed)
        assert own.timestamps is not None
        order = np.lexsort((own.timestamps, own.users))
        users, items = own.users[order], own.items[order]
        counts = np.bincount(users, minlength=self.n_users)
        from_end = np.repeat(counts.cumsum(), counts) - np.arange(len(users))
        late = np.bincount(items[from_end <= self.last], minlength=self.n_items)
        share = np.bincount(items, minlength=self.n_items) / len(items)
        found = np.log((late + self.prior) / (late.sum() * share + self.prior))
        self.store(lateness=torch.from_numpy(found).float())

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        users, items = torch.broadcast_tensors(users, items)
        return self.lateness[items]

    def to_log_scale(self, scores: Tensor) -> Tensor:
        """Return the scores as they are: a logarithm already."""
        return scores

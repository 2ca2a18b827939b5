"""Matrix factorization, plain and with the items of a user's history (SVD++)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor, nn

from src.data.interactions import Interactions
from src.models.embedded import Embedded
from src.models.embedding_table import EmbeddingTable
from src.models.history import History
from src.models.pair_network import PairNetwork
from src.models.pair_scores import can_score, score_candidates
from src.models.recommender import Factors, GradientLoss, InitStd


class MF(Embedded):
    """b + b_u + b_i + <p_u, q_i> (Koren et al. 2009; Rendle et al. 2020, equation 1).

    On ratings the global bias starts at their mean. One table holds the users' rows and then the
    items', each its factors and then its bias.

    With a `popularity_discount`, that times log n_i is taken from the scores of a trained model,
    n_i the interactions of item i, or 1, as logit adjustment does for frequent classes (Menon et
    al. 2021, equation 9). Training goes without it.
    """

    explicit = True

    log_popularity: Tensor
    """float [n_items]: log n_i; there only with a `popularity_discount`."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 64,
        biases: bool = True,
        init_std: InitStd = 0.1,
        sparse: bool = False,
        popularity_discount: Annotated[float, Ge(0)] = 0.0,
    ) -> None:
        """`sparse`: embedding gradients as sparse tensors, for optimizers that take them."""
        super().__init__(n_users, n_items)
        self.factors, self.biases = factors, biases
        self.explicit = self.explicit and not sparse
        self.table = EmbeddingTable(n_users + n_items, factors + biases, sparse=sparse)
        nn.init.normal_(self.table.weight, std=init_std)
        if biases:
            with torch.no_grad():
                self.table.weight[:, -1] = 0
            self.bias = nn.Parameter(torch.zeros(()))
        self.popularity_discount = popularity_discount
        if popularity_discount:
            self.store(log_popularity=torch.zeros(n_items))

    @torch.no_grad()
    def observe(self, train: Interactions) -> None:
        if self.biases and train.ratings is not None:
            self.bias.fill_(float(train.ratings.mean()))
        if self.popularity_discount:
            counts = np.bincount(train.items, minlength=self.n_items)
            self.store(log_popularity=torch.from_numpy(counts).clamp(min=1).float().log())

    def item_vectors(self) -> Tensor:
        return self.table.weight[self.n_users :, : self.factors]

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        user, item = self.user_rows(users), self.item_rows(items)
        scores = (self._user_factors(users, user) * item[..., : self.factors]).sum(-1)
        if self.biases:
            scores = scores + user[..., -1] + item[..., -1] + self.bias
        return scores - self._discount()[items] if self._discounts else scores

    def score_all(self, users: Tensor) -> Tensor:
        user, item = self.user_rows(users), self.table.weight[self.n_users :]
        scores = self._user_factors(users, user) @ item[:, : self.factors].t()
        if self.biases:
            scores = scores + user[:, -1:] + item[:, -1] + self.bias
        return scores - self._discount() if self._discounts else scores

    def fold_in(self, items: Tensor) -> Tensor:
        """Score by the mean of the items' factors.

        On MovieLens-1M's validation that ranks nearly as well as the factors that users have
        learned (NDCG@10 .0411 and .0423 among all items), and better than least squares on these.
        """
        rows = self.table.weight[self.n_users :]
        scores = rows[:, : self.factors] @ rows[items, : self.factors].mean(0)
        if self.biases:
            scores = scores + rows[:, -1] + self.bias
        return scores - self._discount() if self._discounts else scores

    @property
    def _discounts(self) -> bool:
        """Whether scores are to be discounted now: after training, if at all."""
        return self.popularity_discount > 0 and not self.training

    def _discount(self) -> Tensor:
        """Return what is taken from each item's scores [n_items]."""
        return self.log_popularity * self.popularity_discount

    def score_candidates(self, users: Tensor, items: Tensor) -> Tensor:
        network = self.network()
        if network is not None and can_score(self, users) and not self._discounts:
            return score_candidates(network, users, items)
        return super().score_candidates(users, items)

    def _user_factors(self, users: Tensor, rows: Tensor) -> Tensor:
        """Return what meets an item's factors, from the users' rows [..., width]."""
        return rows[..., : self.factors]

    @torch.no_grad()
    def differentiate(
        self, users: Tensor, items: Tensor, loss: GradientLoss, l2: float = 0.0
    ) -> Tensor:
        n_users, n_pairs = len(users), items.numel()
        ids = torch.cat([users, items.reshape(-1) + self.n_users])
        rows = self.table.read(ids)
        user, item = rows[:n_users, None], rows[n_users:].view(*items.shape, -1)
        logits = self._multiply(user, item).squeeze(1)
        if self.biases:
            logits = logits + user[..., -1] + item[..., -1] + self.bias

        of_logits = loss.gradient(logits)
        of_rows = torch.empty_like(rows)
        of_user, of_item = of_rows[:n_users], of_rows[n_users:].view(item.shape)
        # factors and bias alike; the biases' columns are then put right
        torch.bmm(of_logits[:, None], item, out=of_user[:, None])
        torch.mul(of_logits[..., None], user, out=of_item)
        if self.biases:
            of_user[:, -1] = of_logits.sum(1)
            of_item[..., -1] = of_logits
            self.bias.grad = of_logits.sum()
        if l2:
            of_user.add_(rows[:n_users], alpha=2 * l2 / n_users)
            of_item.add_(item, alpha=2 * l2 / n_pairs)
        self.table.set_gradient(ids, of_rows)
        return loss(logits)

    def network(self) -> PairNetwork | None:
        bias = self.bias if self.biases else None
        return PairNetwork(self.table, self.n_users, self.factors, biases=self.biases, bias=bias)

    def _multiply(self, user: Tensor, item: Tensor) -> Tensor:
        """Return inner products of rows [P, 1, width] with [P, C, width] -> [P, 1, C]."""
        return user[..., : self.factors] @ item[..., : self.factors].transpose(1, 2)


class SVDpp(MF):
    """SVD++: the user's factors plus those of the items in its history (Koren 2008, equation 15).

    b + b_u + b_i + <q_i, p_u + |N(u)|^-1/2 Σ_{j in N(u)} y_j>, N(u) the items of u in training.
    """

    def __init__(
        self, n_users: int, n_items: int, factors: Factors = 20, init_std: InitStd = 0.1
    ) -> None:
        super().__init__(n_users, n_items, factors, biases=True, init_std=init_std)
        self.explicit = False
        self.history = History(n_users)
        self.implicit = nn.Parameter(torch.empty(n_items, factors))
        nn.init.normal_(self.implicit, std=init_std)

    def observe(self, train: Interactions) -> None:
        super().observe(train)
        self.history.observe(train)

    def fold_in(self, items: Tensor) -> Tensor:
        """Score by what the items say: b + b_i + <q_i, |N|^-1/2 Σ_{j in N} y_j>."""
        factors = self.implicit[items].sum(0) / len(items) ** 0.5
        rows = self.table.weight[self.n_users :]
        return rows[:, : self.factors] @ factors + rows[:, -1] + self.bias

    def _user_factors(self, users: Tensor, rows: Tensor) -> Tensor:
        different, where = users.unique(return_inverse=True)
        scale = self.history.counts(different).clamp(min=1).to(rows.dtype).rsqrt()
        implicit = self.history.sum_rows(different, self.implicit) * scale[:, None]
        return rows[..., : self.factors] + implicit[where]

    def squared_norms(self, users: Tensor, items: Tensor) -> Tensor:
        """Add the factors of every item of the user's history, as Koren regularizes them."""
        norms = self.implicit.square().sum(1, keepdim=True)
        implicit = self.history.sum_rows(users, norms).mean()
        return super().squared_norms(users, items) + implicit

"""Neural collaborative filtering: GMF, MLP and their fusion NeuMF (He et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from src.errors import UserError
from src.models.base import Loss, Recommender
from src.models.branches import Branch, GMFBranch, MLPBranch, tower
from src.models.table import Table

Factors = Annotated[int, Ge(1)]
NumLayers = Annotated[int, Ge(0)]
Layers = list[Annotated[int, Gt(0)]]
Dropout = Annotated[float, Ge(0), Lt(1)]

# He et al. 2017, section 4.1, "Parameter Settings"
EMBEDDING_STD = 0.01


class NCF(Recommender):
    """Branches side by side under one linear output layer, which gives the logit.

    Each branch has embeddings of its own: they are the columns of one table a side, so that a row
    is read and taught once.
    """

    explicit = True

    def __init__(self, n_users: int, n_items: int, branches: dict[str, Branch]) -> None:
        super().__init__(n_users, n_items)
        self.branches = nn.ModuleDict(branches)
        self.widths = [branch.width for branch in branches.values()]
        self.user = Table(n_users, sum(self.widths))
        self.item = Table(n_items, sum(self.widths))
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=EMBEDDING_STD)
        self.output = nn.Linear(sum(branch.n_features for branch in branches.values()), 1)
        # Keras' lecun_uniform, which the released code uses here
        bound = (3 / self.output.in_features) ** 0.5
        nn.init.uniform_(self.output.weight, -bound, bound)
        nn.init.zeros_(self.output.bias)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        rows = self._by_branch(self.user(users), self.item(items))
        features = [branch(user, item) for branch, user, item in rows]
        return self.output(torch.cat(features, dim=-1)).squeeze(-1)

    @torch.no_grad()
    def differentiate(self, users: Tensor, items: Tensor, loss: Loss, l2: float = 0.0) -> Tensor:
        width = sum(self.widths)
        # column by column: the user's rows then broadcast over the leading dimension
        item_ids = items.t().reshape(-1)
        user, item = self.user.read(users), self.item.read(item_ids).view(-1, len(users), width)
        rows = list(self._by_branch(user, item))
        activations = [branch.activations(user, item) for branch, user, item in rows]
        features = torch.cat([outputs[-1] for outputs in activations], dim=-1)
        logits = self.output(features).squeeze(-1).t()

        of_logits = loss.gradient(logits).t().reshape(1, -1)
        self.output.weight.grad = of_logits @ features.flatten(0, 1)
        self.output.bias.grad = of_logits.sum(1)
        of_features = (of_logits.t() * self.output.weight).view(features.shape)
        of_features_by_branch = of_features.split([b.n_features for b, _, _ in rows], dim=-1)
        of_rows = [
            branch.backward(gradient, user, item, outputs)
            for (branch, user, item), outputs, gradient in zip(
                rows, activations, of_features_by_branch, strict=True
            )
        ]
        of_user, of_item = (torch.cat(parts, dim=-1) for parts in zip(*of_rows, strict=True))
        if l2:
            of_user.add_(user, alpha=2 * l2 / len(users))
            of_item.add_(item, alpha=2 * l2 / items.numel())
        self.user.set_gradient(users, of_user)
        self.item.set_gradient(item_ids, of_item.view(-1, width))
        return loss(logits)

    def _by_branch(self, user: Tensor, item: Tensor) -> Iterator[tuple[Branch, Tensor, Tensor]]:
        branches = cast("list[Branch]", list(self.branches.values()))
        return zip(
            branches, user.split(self.widths, dim=-1), item.split(self.widths, dim=-1), strict=True
        )

    def user_tables(self) -> list[Table]:
        return [self.user]

    def item_tables(self) -> list[Table]:
        return [self.item]

    def _part(self, name: str) -> dict[str, Tensor]:
        """All weights of one branch: its columns of the two tables, and its layers."""
        place = list(self.branches).index(name)
        user, item = (table.weight.split(self.widths, dim=1) for table in (self.user, self.item))
        return {"user": user[place], "item": item[place], **self.branches[name].state_dict()}


class GMF(NCF):
    """Generalized matrix factorization (section 3.2)."""

    def __init__(self, n_users: int, n_items: int, factors: Factors = 8) -> None:
        super().__init__(n_users, n_items, {"gmf": GMFBranch(factors)})


class MLP(NCF):
    """Multi-layer perceptron (section 3.3)."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 8,
        num_layers: NumLayers = 3,
        layers: Layers | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        widths = tower(factors, num_layers, layers)
        super().__init__(n_users, n_items, {"mlp": MLPBranch(widths, dropout)})


class NeuMF(NCF):
    """Neural matrix factorization: GMF and MLP, each with its own embeddings (section 3.4)."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 8,
        num_layers: NumLayers = 3,
        layers: Layers | None = None,
        dropout: Dropout = 0.0,
    ) -> None:
        widths = tower(factors, num_layers, layers)
        branches = {"gmf": GMFBranch(factors), "mlp": MLPBranch(widths, dropout)}
        super().__init__(n_users, n_items, branches)

    @torch.no_grad()
    def fuse(self, gmf: GMF, mlp: MLP, alpha: Annotated[float, Ge(0), Le(1)] = 0.5) -> None:
        """Starts from two trained models: all weights and biases copied (section 3.4.1).

        The output layer becomes [alpha * h_gmf; (1 - alpha) * h_mlp], its bias likewise
        (equation 13). Nothing of the two stays behind. Raises UserError when shapes differ.
        """
        for name, model in (("gmf", gmf), ("mlp", mlp)):
            mine, theirs = self._part(name), model._part(name)
            if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in theirs.items()}:
                raise UserError(
                    f"model.pretrained.{name} doesn't fit: it has {_shapes(theirs)}, "
                    f"this model needs {_shapes(mine)}"
                )
            for key, tensor in mine.items():
                tensor.copy_(theirs[key])
        h = [alpha * gmf.output.weight, (1 - alpha) * mlp.output.weight]
        self.output.weight.copy_(torch.cat(h, dim=1))
        self.output.bias.copy_(alpha * gmf.output.bias + (1 - alpha) * mlp.output.bias)


def _shapes(state: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in state.items())

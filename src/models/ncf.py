"""Neural collaborative filtering: GMF, MLP and their fusion NeuMF (He et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from src.errors import UserError
from src.models.base import Recommender
from src.models.branches import Branch, GMFBranch, MLPBranch, tower

Factors = Annotated[int, Ge(1)]
NumLayers = Annotated[int, Ge(0)]
Layers = list[Annotated[int, Gt(0)]]
Dropout = Annotated[float, Ge(0), Lt(1)]


class NCF(Recommender):
    """Branches side by side under one linear output layer, which gives the logit."""

    def __init__(self, n_users: int, n_items: int, branches: dict[str, Branch]) -> None:
        super().__init__(n_users, n_items)
        self.branches = nn.ModuleDict(branches)
        self.output = nn.Linear(sum(branch.n_features for branch in branches.values()), 1)
        # Keras' lecun_uniform, which the released code uses here
        bound = (3 / self.output.in_features) ** 0.5
        nn.init.uniform_(self.output.weight, -bound, bound)
        nn.init.zeros_(self.output.bias)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        features = [branch(users, items) for branch in self.branches.values()]
        return self.output(torch.cat(features, dim=-1)).squeeze(-1)

    def user_embeddings(self) -> Iterator[nn.Embedding]:
        return (branch.user for branch in self._branches())

    def item_embeddings(self) -> Iterator[nn.Embedding]:
        return (branch.item for branch in self._branches())

    def _branches(self) -> list[Branch]:
        return cast("list[Branch]", list(self.branches.values()))


class GMF(NCF):
    """Generalized matrix factorization (section 3.2)."""

    def __init__(self, n_users: int, n_items: int, factors: Factors = 8) -> None:
        super().__init__(n_users, n_items, {"gmf": GMFBranch(n_users, n_items, factors)})


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
        super().__init__(n_users, n_items, {"mlp": MLPBranch(n_users, n_items, widths, dropout)})


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
        branches = {
            "gmf": GMFBranch(n_users, n_items, factors),
            "mlp": MLPBranch(n_users, n_items, widths, dropout),
        }
        super().__init__(n_users, n_items, branches)

    @torch.no_grad()
    def fuse(self, gmf: GMF, mlp: MLP, alpha: Annotated[float, Ge(0), Le(1)] = 0.5) -> None:
        """Starts from two trained models: all weights and biases copied (section 3.4.1).

        The output layer becomes [alpha * h_gmf; (1 - alpha) * h_mlp], its bias likewise
        (equation 13). Nothing of the two stays behind. Raises UserError when shapes differ.
        """
        for name, model in (("gmf", gmf), ("mlp", mlp)):
            mine, theirs = self.branches[name].state_dict(), model.branches[name].state_dict()
            if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in theirs.items()}:
                raise UserError(
                    f"model.pretrained.{name} doesn't fit: it has {_shapes(theirs)}, "
                    f"this model needs {_shapes(mine)}"
                )
            self.branches[name].load_state_dict(theirs)
        h = [alpha * gmf.output.weight, (1 - alpha) * mlp.output.weight]
        self.output.weight.copy_(torch.cat(h, dim=1))
        self.output.bias.copy_(alpha * gmf.output.bias + (1 - alpha) * mlp.output.bias)


def _shapes(state: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in state.items())

"""Neural collaborative filtering: GMF, MLP and their fusion NeuMF (He et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

import torch
from annotated_types import Ge, Le, MultipleOf
from torch import Tensor, nn

from src.errors import UserError
from src.models.branches import Branch, GMFBranch, MLPBranch, Rows, tower
from src.models.embedded import Embedded
from src.models.embedding_table import EmbeddingTable
from src.models.mf import MF
from src.models.pair_network import PairNetwork
from src.models.pair_scores import can_score, score_candidates, score_catalogue
from src.models.recommender import (
    Dropout,
    Factors,
    GradientLoss,
    InitStd,
    Layers,
    NumLayers,
    Recommender,
)

# He et al. 2017, section 4.1, "Parameter Settings"
EMBEDDING_STD = 0.01


class NCF(Embedded):
    """Branches side by side under one linear output layer, which gives the logit.

    Each branch has embeddings of its own: its columns of one table, which holds the users' rows and
    then the items'. So all that a batch reads is read at once, and taught at once.
    """

    explicit = True

    def __init__(
        self, n_users: int, n_items: int, branches: dict[str, Branch], init_std: float
    ) -> None:
        super().__init__(n_users, n_items)
        self.branches = nn.ModuleDict(branches)
        self.widths = [branch.width for branch in branches.values()]
        self.n_features = [branch.n_features for branch in branches.values()]
        self.table = EmbeddingTable(n_users + n_items, sum(self.widths))
        nn.init.normal_(self.table.weight, std=init_std)
        self.output = nn.Linear(sum(self.n_features), 1)
        # Keras' lecun_uniform, which the released code uses here
        bound = (3 / self.output.in_features) ** 0.5
        nn.init.uniform_(self.output.weight, -bound, bound)
        nn.init.zeros_(self.output.bias)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        by_branch = self._split_by_branch(Rows(self.user_rows(users), self.item_rows(items)))
        features = [branch(*rows) for branch, rows in by_branch]
        return self.output(torch.cat(features, dim=-1)).squeeze(-1)

    def score_all(self, users: Tensor) -> Tensor:
        network = self.network()
        if network is not None and can_score(self, users):
            return score_catalogue(network, users)
        rows = Rows(self.user_rows(users), self.table.weight[self.n_users :])
        weights = self.output.weight[0].split_with_sizes(self.n_features)
        scores = [
            branch.score_all(*rows, weight)
            for (branch, rows), weight in zip(self._split_by_branch(rows), weights, strict=True)
        ]
        return torch.stack([self.output.bias.expand_as(scores[0]), *scores]).sum(0)

    def score_candidates(self, users: Tensor, items: Tensor) -> Tensor:
        network = self.network()
        if network is not None and can_score(self, users):
            return score_candidates(network, users, items)
        return super().score_candidates(users, items)

    @torch.no_grad()
    def differentiate(
        self, users: Tensor, items: Tensor, loss: GradientLoss, l2: float = 0.0
    ) -> Tensor:
        n_users, n_pairs = len(users), items.numel()
        # pairs column by column, so that the users' rows broadcast over the leading dimension
        ids = torch.cat([users, items.t().reshape(-1) + self.n_users])
        rows = self.table.read(ids)
        user, item = rows.split_with_sizes([n_users, n_pairs])
        by_branch = self._split_by_branch(Rows(user, item.view(-1, n_users, rows.shape[1])))
        outputs = [branch.activations(*read) for branch, read in by_branch]
        features = torch.cat([layers[-1] for layers in outputs], dim=-1).flatten(0, 1)
        weight = self.output.weight
        logits = torch.addmv(self.output.bias, features, weight[0]).view(-1, n_users).t()

        of_logits = loss.gradient(logits).t().reshape(-1, 1)
        self.output.weight.grad = of_logits.t() @ features
        self.output.bias.grad = of_logits.sum(0)
        of_features = (of_logits * weight).split_with_sizes(self.n_features, dim=1)
        of_rows = rows.new_empty(rows.shape)
        of_user, of_item = of_rows.split_with_sizes([n_users, n_pairs])
        for (branch, read), layers, gradient, (_, written) in zip(
            by_branch,
            outputs,
            of_features,
            self._split_by_branch(Rows(of_user, of_item)),
            strict=True,
        ):
            branch.backward(gradient, read, layers, written)
        if l2:
            of_user.add_(user, alpha=2 * l2 / n_users)
            of_item.add_(item, alpha=2 * l2 / n_pairs)
        self.table.set_gradient(ids, of_rows)
        return loss(logits)

    def describe(self) -> PairNetwork | None:
        """Return the `network` of the paper's branches, None where there are others."""
        branches = dict(self.branches.items())
        gmf, mlp = branches.pop("gmf", None), branches.pop("mlp", None)
        kinds = (type(None), GMFBranch), (type(None), MLPBranch)
        if branches or type(gmf) not in kinds[0] or type(mlp) not in kinds[1]:
            return None
        gmf, mlp = cast("GMFBranch | None", gmf), cast("MLPBranch | None", mlp)
        return PairNetwork(
            self.table,
            self.n_users,
            factors=gmf.width if gmf else 0,
            half=mlp.width if mlp else 0,
            hidden=tuple(mlp.list_hidden()) if mlp else (),
            dropout=mlp.dropout.p if mlp else 0.0,
            weight=cast("nn.Parameter", self.output.weight),
            bias=self.output.bias,
        )

    def _split_by_branch(self, rows: Rows) -> list[tuple[Branch, Rows]]:
        """Return each branch with its columns of the rows."""
        branches = cast("list[Branch]", list(self.branches.values()))
        users, items = (part.split_with_sizes(self.widths, dim=-1) for part in rows)
        return list(zip(branches, map(Rows, users, items), strict=True))

    def part(self, name: str) -> dict[str, Tensor]:
        """Return all weights of one branch: its columns of the table, and its layers."""
        place = list(self.branches).index(name)
        rows = self.table.weight.split(self.widths, dim=1)[place]
        return {"table": rows, **self.branches[name].state_dict()}


class GMF(NCF):
    """Generalized matrix factorization (section 3.2)."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 8,
        init_std: InitStd = EMBEDDING_STD,
    ) -> None:
        super().__init__(n_users, n_items, {"gmf": GMFBranch(factors)}, init_std)

    network = NCF.describe


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
        init_std: InitStd = EMBEDDING_STD,
    ) -> None:
        widths = tower(factors, num_layers, layers)
        super().__init__(n_users, n_items, {"mlp": MLPBranch(widths, dropout)}, init_std)

    network = NCF.describe


class NeuMF(NCF):
    """Neural matrix factorization: GMF and MLP, each with its own embeddings (section 3.4)."""

    parts = ("gmf", "mlp")

    def __init__(
        self,
        n_users: int,
        n_items: int,
        factors: Factors = 8,
        num_layers: NumLayers = 3,
        layers: Layers | None = None,
        dropout: Dropout = 0.0,
        out_size: Annotated[int, Ge(2), MultipleOf(2)] | None = None,
        init_std: InitStd = EMBEDDING_STD,
    ) -> None:
        """`out_size`: predictive factors of both branches together, instead of `factors` each."""
        factors = factors if out_size is None else out_size // 2
        widths = tower(factors, num_layers, layers)
        branches = {"gmf": GMFBranch(factors), "mlp": MLPBranch(widths, dropout)}
        super().__init__(n_users, n_items, branches, init_std)

    network = NCF.describe

    def start_from(
        self, parts: Mapping[str, Recommender], alpha: Annotated[float, Ge(0), Le(1)] = 0.5
    ) -> None:
        """Fuse a trained "gmf", or a "mf" without biases, and a trained "mlp"."""
        gmf, mlp = parts["gmf"], parts["mlp"]
        if isinstance(gmf, MF):
            gmf = as_gmf(gmf)
        if not isinstance(gmf, GMF) or not isinstance(mlp, MLP):
            raise UserError(
                f"model.pretrained wants a gmf and an mlp, but gmf is a {type(gmf).__name__} and "
                f"mlp a {type(mlp).__name__}"
            )
        self.fuse(gmf, mlp, alpha)

    @torch.no_grad()
    def fuse(self, gmf: GMF, mlp: MLP, alpha: float = 0.5) -> None:
        """Start from two trained models: all weights and biases copied (section 3.4.1).

        The output layer becomes [alpha * h_gmf; (1 - alpha) * h_mlp], its bias likewise
        (equation 13). Nothing of the two stays behind. Raises UserError when shapes differ.
        """
        for name, model in (("gmf", gmf), ("mlp", mlp)):
            mine, theirs = self.part(name), model.part(name)
            if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in theirs.items()}:
                raise UserError(
                    f"model.pretrained.{name} doesn't fit: it has {_list_shapes(theirs)}, "
                    f"this model needs {_list_shapes(mine)}"
                )
            for key, tensor in mine.items():
                tensor.copy_(theirs[key])
        h = [alpha * gmf.output.weight, (1 - alpha) * mlp.output.weight]
        self.output.weight.copy_(torch.cat(h, dim=1))
        self.output.bias.copy_(alpha * gmf.output.bias + (1 - alpha) * mlp.output.bias)


def as_gmf(model: MF) -> GMF:
    """Return a GMF with the same scores, whose output layer weighs every factor alike.

    Raises UserError when there are biases, for which GMF has no place.
    """
    if model.biases:
        raise UserError("only a mf with model.biases=false is a GMF, from which NeuMF can start")
    if model.popularity_discount:
        raise UserError("a mf with model.popularity_discount is no GMF, from which NeuMF can start")
    gmf = GMF(model.n_users, model.n_items, model.factors)
    with torch.no_grad():
        gmf.table.weight.copy_(model.table.weight)
        gmf.output.weight.fill_(1)
        gmf.output.bias.zero_()
    return gmf


def _list_shapes(state: dict[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in state.items())

"""Scores of a PairNetwork, by compiled code."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from src.kernels.available import is_available
from src.models.pair_network import PairNetwork


def can_score(model: nn.Module, users: Tensor) -> bool:
    """Tell whether compiled code may score: on a CPU, for judging, in single precision."""
    judging = not (torch.is_grad_enabled() or model.training)
    plain = users.device.type == "cpu" and torch.get_default_dtype() == torch.float32
    return (
        judging
        and plain
        and all(p.dtype == torch.float32 for p in model.parameters())
        and is_available()
    )


def score_candidates(network: PairNetwork, users: Tensor, items: Tensor) -> Tensor:
    """Return logits of users [P] with items [P, C] -> [P, C]."""
    from src.models.compiled_scores import add_products

    every = network.table.weight[network.n_users :]
    rows = network.table.weight[users]
    scores = rows.new_zeros(items.shape)
    if network.biases:
        scores += every[items, -1]
        scores += rows[:, -1:]
    if network.bias is not None:
        scores += network.bias
    if network.factors:
        add_products(scores, _weigh(network, rows), every, items)
    return _add_tower(network, scores, rows, every, items)


def score_catalogue(network: PairNetwork, users: Tensor) -> Tensor:
    """Return logits of every item: users [P] -> [P, n_items]."""
    every = network.table.weight[network.n_users :]
    rows = network.table.weight[users]
    scores = rows.new_zeros(len(users), len(every))
    if network.biases:
        scores += every[:, -1]
        scores += rows[:, -1:]
    if network.bias is not None:
        scores += network.bias
    if network.factors:
        scores.addmm_(_weigh(network, rows), every[:, : network.factors].t())
    return _add_tower(network, scores, rows, every)


def _weigh(network: PairNetwork, rows: Tensor) -> Tensor:
    """Return w * p of the rows [P, width]: [P, factors]."""
    factors = rows[:, : network.factors]
    return factors if network.weight is None else factors * network.weight[0, : network.factors]


def _add_tower(
    network: PairNetwork, scores: Tensor, rows: Tensor, every: Tensor, items: Tensor | None = None
) -> Tensor:
    if not network.half or network.weight is None:
        return scores
    from src.models.compiled_scores import add_tower

    columns = slice(network.factors, network.factors + network.half)
    users, weight = rows[:, columns], network.weight[0, network.factors :]
    if not network.hidden:
        of_user, of_item = weight.split(network.half)
        by_item = every[:, columns] @ of_item
        return scores + (users @ of_user)[:, None] + (by_item if items is None else by_item[items])
    first, *rest = network.hidden
    of_users, of_items = first.weight.split(network.half, dim=1)
    user_sums = linear(users, of_users, first.bias)
    add_tower(scores, user_sums, every[:, columns] @ of_items.t(), rest, weight, items)
    return scores

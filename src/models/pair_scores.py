"""Scores of a PairNetwork, and of towers in general, by compiled code."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Add the tower's part to scores [P, C] of the users' rows with `items`, None for every one."""
    if not network.half or network.weight is None:
        return scores
    columns = slice(network.factors, network.factors + network.half)
    users, every, weight = rows[:, columns], every[:, columns], network.weight[0, network.factors :]
    if network.hidden:
        return add_whole_tower(scores, users, every, network.hidden, weight, items)
    of_user, of_item = weight.split(network.half)
    by_item = every @ of_item
    return scores + (users @ of_user)[:, None] + (by_item if items is None else by_item[items])


def add_whole_tower(
    scores: Tensor,
    users: Tensor,
    every: Tensor,
    hidden: Sequence[nn.Linear],
    weight: Tensor,
    items: Tensor | None = None,
) -> Tensor:
    """Add to scores [P, C] the outputs of a tower of ReLU layers over [p ; q], times `weight`.

    users [P, half] are the p, every [n_items, half] the q of all items; `items` int64 [P, C] are
    those of each user, None stands for every one. Returns the scores, whose memory it uses.
    """
    from src.models.compiled_scores import add_tower

    first, *rest = hidden
    of_users, of_items = first.weight.split(users.shape[1], dim=1)
    user_sums, item_sums = linear(users, of_users, first.bias), every @ of_items.t()
    add_tower(scores, user_sums, item_sums, rest, weight, items)
    return scores

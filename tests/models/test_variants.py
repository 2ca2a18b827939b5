"""The NCF variants of tutorials: the contract, sizes and hand-computed scores."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from src.models import GeneralNCF, NeuMF, RecoHutNCF
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract
from src.training.losses import BalancedBCE


class TestGeneralNCF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GeneralNCF:
        return GeneralNCF(n_users, n_items, out_size=8, num_layers=2)


class TestRecoHutNCF(RecommenderContract):
    loss = BalancedBCE()

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> RecoHutNCF:
        return RecoHutNCF(n_users, n_items, factors=8, hidden_units=[16, 8], dropout=0.0)


def test_out_size_and_layers_fix_the_input() -> None:
    model = GeneralNCF(3, 4, out_size=8, num_layers=3)
    assert model.table.weight.shape == (7, 32)  # 2^(3-1) * 8
    shapes = [(m.in_features, m.out_features) for m in model.tower if isinstance(m, nn.Linear)]
    assert shapes == [(64, 32), (32, 16), (16, 8)]
    assert (model.output.in_features, model.output.out_features) == (8, 1)


def test_dropout_comes_before_each_layer() -> None:
    kinds = [type(module) for module in GeneralNCF(3, 4, num_layers=2, dropout=0.5).tower]
    assert kinds == [nn.Dropout, nn.Linear, nn.ReLU] * 2


def test_neumf_shares_out_size_between_its_branches() -> None:
    shared, plain = NeuMF(3, 4, out_size=16), NeuMF(3, 4, factors=8)
    assert {n: p.shape for n, p in shared.named_parameters()} == {
        n: p.shape for n, p in plain.named_parameters()
    }
    assert shared.output.in_features == 16


def test_general_ncf_by_hand() -> None:
    model = GeneralNCF(1, 1, out_size=1, num_layers=1)
    values = {
        "table.weight": [[2.0], [3.0]],
        "tower.1.weight": [[1.0, -0.5]],
        "tower.1.bias": [0.25],
        "output.weight": [[2.0]],
        "output.bias": [-1.0],
    }
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    # relu(2 - 1.5 + .25) = .75
    assert model(torch.tensor([0]), torch.tensor([0])).item() == 0.5


def test_recohut_by_hand() -> None:
    model = RecoHutNCF(1, 1, factors=1, hidden_units=[1], dropout=0.0)
    values = {
        "table.weight": [[2.0, 1.0], [-1.0, 4.0]],  # GMF's column, then the tower's
        "tower.0.weight": [[3.0, -0.5]],
        "tower.0.bias": [1.0],
        "output.weight": [[10.0, 0.5]],
        "output.bias": [0.0],
    }
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    # 10 * s(2 * -1) + .5 * relu(3 - 2 + 1)
    expected = 10 / (1 + math.exp(2)) + 1
    assert model(torch.tensor([0]), torch.tensor([0])).item() == pytest.approx(expected)


def test_recohut_drops_once_after_the_tower() -> None:
    model = RecoHutNCF(2, 2, factors=4, hidden_units=[6, 3], dropout=0.5)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert len(dropouts) == 1
    seen: list[Tensor] = []
    dropouts[0].register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model(torch.tensor([0]), torch.tensor([1]))
    assert [x.shape[-1] for x in seen] == [3]
    assert (seen[0] >= 0).all()  # after the activation


@pytest.mark.parametrize("activation", ["gelu", "tanh", "sigmoid", "leaky-relu"])
def test_activations(activation: str) -> None:
    model = RecoHutNCF(2, 2, factors=4, hidden_units=[3], activation=activation)
    assert model(torch.tensor([0]), torch.tensor([1])).isfinite().all()

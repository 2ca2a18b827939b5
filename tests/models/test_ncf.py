"""GMF, MLP and NeuMF: the contract, hand-computed scores, shapes and fusion."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from src.errors import UserError
from src.models import GMF, MLP, NCF, NeuMF
from src.models.branches import tower
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract


class TestGMF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GMF:
        return GMF(n_users, n_items, factors=4)


class TestMLP(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MLP:
        return MLP(n_users, n_items, factors=16, num_layers=2)


class TestMLPWithoutHiddenLayers(RecommenderContract):
    learns = False  # a sum of one term for the user and one for the item

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> MLP:
        return MLP(n_users, n_items, factors=4, num_layers=0)


class TestNeuMF(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NeuMF:
        return NeuMF(n_users, n_items, factors=16, num_layers=2)


class TestNeuMFWithLayers(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> NeuMF:
        return NeuMF(n_users, n_items, factors=3, layers=[12, 16, 10], dropout=0.5)


def set_weights(model: NCF, values: dict[str, list]) -> None:
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})


GMF_WEIGHTS = {
    "table.weight": [[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]],
    "output.weight": [[0.5, -1.0]],
    "output.bias": [0.25],
}
MLP_WEIGHTS = {
    "table.weight": [[2.0], [1.0], [-3.0]],
    "branches.mlp.hidden.0.weight": [[1.0, 2.0]],
    "branches.mlp.hidden.0.bias": [-1.0],
    "output.weight": [[3.0]],
    "output.bias": [0.5],
}


def test_gmf_by_hand() -> None:
    model = GMF(1, 2, factors=2)
    set_weights(model, GMF_WEIGHTS)
    # item 0: .5 * 1*3 - 1 * 2*4 + .25; item 1: .5 * 1*-1 - 1 * 2*.5 + .25
    assert model.score_all(torch.tensor([0])).tolist() == [[-6.25, -1.25]]


def test_mlp_by_hand() -> None:
    model = MLP(1, 2, layers=[2, 1])
    set_weights(model, MLP_WEIGHTS)
    # item 0: relu(1*2 + 2*1 - 1) = 3 -> 3*3 + .5; item 1: relu(1*2 - 2*3 - 1) = 0 -> .5
    assert model.score_all(torch.tensor([0])).tolist() == [[9.5, 0.5]]


def test_mlp_scores_the_catalogue_alike_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MLP(5, 7, layers=[6, 5, 4]).double()
    torch.nn.init.normal_(model.table.weight)
    branch, weight = model.branches["mlp"], model.output.weight[0]
    users, items = model.table.weight.split([5, 7])
    expected = branch.score_all(users, items, weight)
    monkeypatch.setattr("src.models.branches.PAIRS_TOGETHER", 2 * 7)  # chunks of 2, 2 and 1
    torch.testing.assert_close(branch._score_together(users, items, weight), expected)


def test_mlp_first_layer_is_the_concatenation_of_the_paper() -> None:
    model = MLP(3, 4, layers=[6, 5, 2])
    torch.nn.init.normal_(model.table.weight)
    users, items = torch.tensor([2, 0]), torch.tensor([1, 3])
    branch = model.branches["mlp"]
    features = torch.cat([model.table.weight[users], model.table.weight[3 + items]], dim=1)
    for layer in branch.hidden:
        features = torch.relu(layer(features))
    torch.testing.assert_close(model(users, items), model.output(features).squeeze(1))


@pytest.mark.parametrize(
    ("factors", "num_layers", "layers", "expected"),
    [
        (8, 3, None, [64, 32, 16, 8]),
        (16, 1, None, [32, 16]),
        (8, 0, None, [8]),
        (8, 3, [256, 256, 128, 64], [256, 256, 128, 64]),
        (1, 1, None, [2, 1]),
    ],
)
def test_tower(factors: int, num_layers: int, layers: list[int] | None, expected: list) -> None:
    assert tower(factors, num_layers, layers) == expected


@pytest.mark.parametrize(("factors", "layers"), [(8, [33, 8]), (8, []), (1, None)])
def test_layers_that_two_embeddings_cannot_share(factors: int, layers: list[int] | None) -> None:
    with pytest.raises(UserError, match="must be there and be even"):
        tower(factors, 0, layers)


def test_default_sizes_are_the_released_codes() -> None:
    model = NeuMF(6040, 3706)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes == {
        "table.weight": (6040 + 3706, 8 + 32),
        "branches.mlp.hidden.0.weight": (32, 64),
        "branches.mlp.hidden.0.bias": (32,),
        "branches.mlp.hidden.1.weight": (16, 32),
        "branches.mlp.hidden.1.bias": (16,),
        "branches.mlp.hidden.2.weight": (8, 16),
        "branches.mlp.hidden.2.bias": (8,),
        "output.weight": (1, 16),
        "output.bias": (1,),
    }


def test_no_model_holds_the_others_embeddings() -> None:
    assert GMF(3, 4, factors=8).table.embedding_dim == 8
    assert MLP(3, 4, layers=[64, 8]).table.embedding_dim == 32


def test_embeddings_start_at_a_hundredth() -> None:
    torch.manual_seed(0)
    weight = NeuMF(2000, 1000).table.weight
    assert weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=3e-4)


@pytest.mark.parametrize("kind", [GMF, MLP, NeuMF])
def test_gradient_reaches_only_the_rows_read(kind: type[NCF]) -> None:
    torch.manual_seed(0)
    model = kind(4, 5)
    model(torch.tensor([2]), torch.tensor([[1, 3]])).sum().backward()
    assert model.table.weight.grad.any(1).nonzero().flatten().tolist() == [2, 4 + 1, 4 + 3]


def test_dropout_follows_every_hidden_layer_and_spares_the_embeddings() -> None:
    model = MLP(2, 2, layers=[4, 6, 3], dropout=0.5)
    seen: list[Tensor] = []
    model.branches["mlp"].dropout.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model(torch.tensor([0, 1]), torch.tensor([[0, 1], [1, 0]]))
    assert [x.shape[-1] for x in seen] == [6, 3]
    assert all((x >= 0).all() for x in seen)  # after the ReLU
    users = torch.tensor([0, 1])
    assert not torch.equal(model.score_all(users), model.score_all(users))
    model.eval()
    assert torch.equal(model.score_all(users), model.score_all(users))


def trained_parts() -> tuple[GMF, MLP]:
    gmf, mlp = GMF(1, 2, factors=2), MLP(1, 2, layers=[2, 1])
    set_weights(gmf, GMF_WEIGHTS)
    set_weights(mlp, MLP_WEIGHTS)
    return gmf, mlp


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_fused_logits_are_the_weighted_sum(alpha: float) -> None:
    gmf, mlp = trained_parts()
    model = NeuMF(1, 2, factors=2, layers=[2, 1])
    model.fuse(gmf, mlp, alpha)
    # by hand above: GMF gives -6.25, -1.25 and MLP 9.5, .5
    expected = [alpha * -6.25 + (1 - alpha) * 9.5, alpha * -1.25 + (1 - alpha) * 0.5]
    assert model.score_all(torch.tensor([0]))[0].tolist() == pytest.approx(expected)


def test_fusion_copies_and_keeps_nothing() -> None:
    gmf, mlp = trained_parts()
    model = NeuMF(1, 2, factors=2, layers=[2, 1])
    names = set(model.state_dict())
    model.fuse(gmf, mlp)
    assert set(model.state_dict()) == names
    before = model.score_all(torch.tensor([0]))
    with torch.no_grad():
        for parameter in [*gmf.parameters(), *mlp.parameters()]:
            parameter.zero_()
    assert torch.equal(model.score_all(torch.tensor([0])), before)


def test_fusion_of_other_shapes_is_refused() -> None:
    model = NeuMF(1, 2, factors=2, layers=[2, 1])
    _, mlp = trained_parts()
    with pytest.raises(UserError, match=r"pretrained.gmf doesn't fit: it has table \(3, 3\)"):
        model.fuse(GMF(1, 2, factors=3), mlp)

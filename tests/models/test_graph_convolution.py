"""LightGCN and GCN: the contract, layers by hand, gradients, and vectors kept in evaluation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from src.data.graph_matrices import adjacency, normalized_adjacency
from src.data.interactions import Interactions
from src.models.graph_convolution import GCN, Graph, GraphRecommender, LightGCN
from src.models.recommender import Recommender
from src.models.testing import N_ITEMS, N_USERS, RecommenderContract, train_part
from src.training.adam import Adam
from src.training.losses import BPR
from tests.data.fakes import interactions


class TestLightGCN(RecommenderContract):
    loss = BPR()

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> LightGCN:
        return LightGCN(n_users, n_items, factors=4)


class TestGCN(RecommenderContract):
    loss = BPR()

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GCN:
        return GCN(n_users, n_items, factors=8)  # with 4, ReLU may leave too few alive


class TestGCNWithOneLayerAndDropout(RecommenderContract):
    loss = BPR()

    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GCN:
        return GCN(n_users, n_items, factors=8, n_layers=1, dropout=0.2)


def observing(model: GraphRecommender, data: Interactions) -> GraphRecommender:
    torch.manual_seed(0)
    model.observe(data)
    return model.double().eval()


@pytest.fixture(params=[LightGCN, GCN])
def model(request: pytest.FixtureRequest) -> GraphRecommender:
    return observing(request.param(N_USERS, N_ITEMS, 4), train_part(N_USERS, N_ITEMS))


def dense(data: Interactions, *, self_loops: bool = False) -> Tensor:
    return torch.from_numpy(normalized_adjacency(adjacency(data, self_loops=self_loops)).toarray())


def test_lightgcn_by_hand() -> None:
    # the user has both items: edges weigh 1 / sqrt(2 * 1)
    model = observing(LightGCN(1, 2, factors=1, n_layers=1), interactions([[0, 1]], 2))
    with torch.no_grad():
        model.embedding.weight.copy_(torch.tensor([[1.0], [2.0], [-4.0]]))
    root = 2**0.5
    user, items = (1 + (2 - 4) / root) / 2, [(2 + 1 / root) / 2, (-4 + 1 / root) / 2]
    scores = model.score_all(torch.tensor([0]))[0].tolist()
    assert scores == pytest.approx([user * item for item in items], rel=1e-7)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_lightgcn_is_the_mean_of_its_layers(n_layers: int) -> None:
    train = train_part(N_USERS, N_ITEMS)
    model = observing(LightGCN(N_USERS, N_ITEMS, 4, n_layers), train)
    layers = [model.embedding.weight]
    for _ in range(n_layers):
        layers.append(dense(train) @ layers[-1])
    expected = torch.stack(layers).mean(0)
    torch.testing.assert_close(model.compute_vectors(), expected, atol=1e-7, rtol=1e-6)


def test_gcn_is_kipf_and_wellings_layers() -> None:
    train = train_part(N_USERS, N_ITEMS)
    model = observing(GCN(N_USERS, N_ITEMS, 4), train)
    matrix = dense(train, self_loops=True)
    first, second = (layer.weight.t() for layer in model.layers)
    expected = matrix @ (matrix @ model.embedding.weight @ first).relu() @ second
    torch.testing.assert_close(model.compute_vectors(), expected, atol=1e-7, rtol=1e-6)
    assert (expected < 0).any()  # no ReLU at the end


def test_a_node_without_neighbours_keeps_to_itself() -> None:
    train = interactions([[0], []], 1)
    model = observing(LightGCN(2, 1, factors=4, n_layers=3), train)
    torch.testing.assert_close(model.compute_vectors()[1], model.embedding.weight[1] / 4)


@pytest.mark.parametrize("self_loops", [False, True])
def test_the_gradient_of_propagation(self_loops: bool) -> None:
    data = train_part(N_USERS, N_ITEMS)
    graph = Graph(N_USERS + N_ITEMS, self_loops=self_loops)
    graph.observe(data)
    graph.double()
    torch.manual_seed(0)
    rows = torch.randn(N_USERS + N_ITEMS, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(graph.propagate, rows)
    expected = dense(data, self_loops=self_loops) @ rows
    torch.testing.assert_close(graph.propagate(rows), expected, atol=1e-7, rtol=1e-6)


def test_rows_and_their_squared_norms_are_those_before_propagation(model: GraphRecommender) -> None:
    table = model.embedding.weight
    users, items = torch.tensor([2, 0]), torch.tensor([[1, 4], [3, 3]])
    assert torch.equal(model.user_rows(users), table[users])
    assert torch.equal(model.item_rows(items), table[N_USERS + items])
    vectors = model.compute_vectors()
    assert torch.equal(model.item_vectors(), vectors[N_USERS:])
    assert not torch.equal(model.item_vectors(), table[N_USERS:])


def count(model: GraphRecommender, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every convolution."""
    calls: list[int] = []
    convolve = model.convolve

    def counted() -> Tensor:
        calls.append(1)
        return convolve()

    monkeypatch.setattr(model, "convolve", counted)
    return calls


USERS = torch.arange(N_USERS)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_evaluation_propagates_once(
    model: GraphRecommender, monkeypatch: pytest.MonkeyPatch, mode: Callable
) -> None:
    calls = count(model, monkeypatch)
    with mode():
        for _ in range(3):
            model.score_all(USERS)
            model(USERS, torch.zeros(N_USERS, 2, dtype=torch.long))
    assert len(calls) == 1


def test_training_propagates_once_a_batch(
    model: GraphRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count(model.train(), monkeypatch)
    for step in (1, 2):
        scores = model(USERS, torch.zeros(N_USERS, 2, dtype=torch.long))
        (scores.sum() + model.squared_norms(USERS, USERS[:, None] % N_ITEMS)).backward()
        assert len(calls) == step


def take_step(model: GraphRecommender, optimizer: type[torch.optim.Optimizer]) -> None:
    with torch.enable_grad():
        model(USERS, USERS % N_ITEMS).sum().backward()
    optimizer(model.parameters(), lr=0.1).step()


def another(model: GraphRecommender) -> dict[str, Tensor]:
    return {
        name: torch.randn_like(value) if value.dtype.is_floating_point else value
        for name, value in model.state_dict().items()
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.embedding.weight.mul_(2),
        lambda m: m.embedding.weight[0].zero_(),
        lambda m: take_step(m, Adam),
        lambda m: take_step(m, torch.optim.Adam),
        lambda m: take_step(m, torch.optim.SGD),
        lambda m: take_step(m, torch.optim.Adagrad),
        lambda m: take_step(m, torch.optim.RMSprop),
        lambda m: m.load_state_dict(another(m)),
        lambda m: m.load_state_dict(another(m), assign=True),
        lambda m: m.observe(interactions([[0]] * N_USERS, N_ITEMS)),
        lambda m: (m.train(), m.embedding.weight.data.add_(1), m.eval()),
        lambda m: m.bfloat16().double(),
        lambda m: m.float(),
    ],
)
def test_kept_vectors_follow_every_change(
    model: GraphRecommender, change: Callable[[GraphRecommender], object]
) -> None:
    with torch.no_grad():
        before = model.score_all(USERS)
        assert torch.equal(before, model.score_all(USERS))
        change(model)
        after = model.score_all(USERS)
        # what it would be if nothing were kept
        expected = model.convolve()
        torch.testing.assert_close(after, expected[:N_USERS] @ expected[N_USERS:].t())
        assert after.dtype != before.dtype or not torch.equal(after, before)


def test_kept_vectors_are_no_part_of_a_checkpoint(model: GraphRecommender) -> None:
    names = set(model.state_dict())
    with torch.no_grad():
        model.score_all(USERS)
    assert set(model.state_dict()) == names
    assert {name for name in names if name.startswith("graph")} == {
        "graph.starts",
        "graph.neighbours",
        "graph.weights",
    }


def test_gradients_flow_in_evaluation_too(model: GraphRecommender) -> None:
    with torch.no_grad():
        model.score_all(USERS)
    model.score_all(USERS).sum().backward()
    assert model.embedding.weight.grad is not None


def test_made_in_inference_mode() -> None:
    # such tensors don't count their changes, so nothing is kept
    with torch.inference_mode():
        model = observing(LightGCN(N_USERS, N_ITEMS, 4), train_part(N_USERS, N_ITEMS))
        before = model.score_all(USERS)
        model.embedding.weight.mul_(2)
        torch.testing.assert_close(model.score_all(USERS), 4 * before)


def test_sizes_and_initialization() -> None:
    torch.manual_seed(0)
    light, gcn = LightGCN(2000, 1000), GCN(2000, 1000)
    assert {name: tuple(p.shape) for name, p in light.named_parameters()} == {
        "embedding.weight": (3000, 64)
    }
    assert {name: tuple(p.shape) for name, p in gcn.named_parameters()} == {
        "embedding.weight": (3000, 64),
        "layers.0.weight": (64, 64),
        "layers.1.weight": (64, 64),
    }
    for model in (light, gcn):
        assert model.embedding.weight.std().item() == pytest.approx(0.1, rel=0.05)


def test_dropout_is_on_the_input_of_every_layer() -> None:
    model = GCN(2, 2, factors=8, dropout=0.5)
    model.observe(interactions([[0], [1]], 2))
    seen: list[Tensor] = []
    model.dropout.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model.score_all(torch.tensor([0]))
    assert len(seen) == 2
    assert seen[0] is model.embedding.weight
    assert (seen[1] >= 0).all()


@pytest.mark.parametrize("kind", [LightGCN, GCN])
def test_half_precision_where_torch_chooses_it(kind: type[Recommender]) -> None:
    torch.manual_seed(0)
    model = kind(N_USERS, N_ITEMS)
    model.observe(train_part(N_USERS, N_ITEMS))
    with torch.autocast("cpu", torch.bfloat16):
        model(USERS, USERS % N_ITEMS).sum().backward()
    exact = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    model(USERS, USERS % N_ITEMS).sum().backward()
    for parameter, half in zip(model.parameters(), exact, strict=True):
        difference = (parameter.grad - half).norm() / parameter.grad.norm()
        assert difference < 0.02

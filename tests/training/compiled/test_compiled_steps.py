"""Compiled steps against torch's: weights as near to float64's as torch's own float32 comes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.stream import Batches
from src.models import GMF, MF, MLP, NeuMF, Recommender
from src.training.adam import Adam
from src.training.compiled.compiled_steps import CompiledSteps
from src.training.compiled.layout import NEVER, next_sweep
from src.training.losses import BCE, BPR, BalancedBCE, Hinge, SampledSoftmax, Squared

N_USERS, N_ITEMS, PER_BATCH, N_CANDIDATES = 50, 40, 37, 4
# a last batch that is smaller, and blocks that are not full
N_POSITIVES = 10 * PER_BATCH - 5

MODELS: dict[str, Callable[[], Recommender]] = {
    "gmf": lambda: GMF(N_USERS, N_ITEMS, factors=8),
    "gmf of odd width": lambda: GMF(N_USERS, N_ITEMS, factors=5),
    "mlp": lambda: MLP(N_USERS, N_ITEMS, factors=8, num_layers=2),
    "mlp of odd widths": lambda: MLP(N_USERS, N_ITEMS, layers=[6, 11, 5, 3]),
    "mlp of wide layers": lambda: MLP(N_USERS, N_ITEMS, layers=[16, 128, 8]),
    "mlp without layers": lambda: MLP(N_USERS, N_ITEMS, factors=10, num_layers=0),
    "neumf": lambda: NeuMF(N_USERS, N_ITEMS, factors=8),
    "neumf of odd widths": lambda: NeuMF(N_USERS, N_ITEMS, factors=3, layers=[18, 70, 7]),
    "neumf without layers": lambda: NeuMF(N_USERS, N_ITEMS, factors=6, num_layers=0),
    "mf": lambda: MF(N_USERS, N_ITEMS, factors=16),
    "mf without biases": lambda: MF(N_USERS, N_ITEMS, factors=9, biases=False),
}
LOSSES = [BCE(), BalancedBCE(), BPR(), Squared(0.3), Hinge(0.7), SampledSoftmax()]
OPTIMIZERS: dict[str, Any] = {
    "adam": partial(Adam, lr=0.003),
    "sgd": partial(torch.optim.SGD, lr=0.5),
}


def make_batches(epoch: int = 0) -> Batches:
    rng = np.random.default_rng(epoch)
    # a few users and items over and over, so that rows repeat within a batch, and others seldom
    users = np.minimum(rng.geometric(0.1, N_POSITIVES), N_USERS) - 1
    items = np.minimum(rng.geometric(0.1, (N_POSITIVES, N_CANDIDATES)), N_ITEMS) - 1
    return Batches(torch.from_numpy(users), torch.from_numpy(items), PER_BATCH, epoch, 0)


def by_torch(
    model: Recommender, loss: Any, optimizer: Any, batches: list[Batches], l2: float, rates: Any
) -> float:
    if optimizer.func is Adam:
        optimizer = partial(torch.optim.Adam, **optimizer.keywords)
    made, total = optimizer(model.parameters()), 0.0
    for epoch, list_ in enumerate(batches):
        made.param_groups[0]["lr"] *= rates[epoch]
        for users, items in list_:
            made.zero_grad()
            value = loss(model(users, items))
            (value + l2 * model.squared_norms(users, items)).backward()
            made.step()
            total += value.item() * items.numel()
    return total


def compile_steps(model: Recommender, loss: Any, optimizer: Any, l2: float = 0.0) -> CompiledSteps:
    network = model.network()
    assert network is not None
    return CompiledSteps(
        network,
        loss,
        optimizer(model.parameters()),
        l2=l2,
        seed=0,
        per_batch=PER_BATCH,
        n_candidates=N_CANDIDATES,
    )


def errors(model: Recommender, exact: Recommender, loss: Any) -> Tensor:
    found = []
    for name, mine in model.named_parameters():
        # a loss of differences has no slope by what all share; Adam blows its rounding up
        if name in ("bias", "output.bias") and isinstance(loss, BPR | Hinge | SampledSoftmax):
            continue
        found.append((mine.detach().double() - exact.get_parameter(name).detach()).abs().flatten())
    return torch.cat(found)


def assert_as_exact_as_torch(
    model: Recommender,
    loss: Any,
    optimizer: Any,
    l2: float = 0.0,
    n_epochs: int = 2,
    rates: tuple[float, ...] = (1.0, 0.5),
) -> None:
    batches = [make_batches(epoch) for epoch in range(n_epochs)]
    exact, usual = deepcopy(model).double(), deepcopy(model)
    right = by_torch(exact, loss, optimizer, batches, l2, rates)
    by_torch(usual, loss, optimizer, batches, l2, rates)
    steps, found = compile_steps(model, loss, optimizer, l2), 0.0
    for epoch, list_ in enumerate(batches):
        steps.group["lr"] *= rates[epoch]
        found += steps.take(list_)
    steps.table.flush()
    steps.release()
    assert found == pytest.approx(right, rel=1e-5)
    mine, torchs = errors(model, exact, loss), errors(usual, exact, loss)
    assert mine.mean() <= 3 * torchs.mean() + 1e-8
    assert mine.max() <= 10 * torchs.max() + 1e-6


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_and_optimizer(
    model: str, optimizer: str, by_row: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.training.compiled.compiled_steps.DENSE_BELOW", 0 if by_row else 1000)
    made = MODELS[model]()
    with torch.no_grad():  # larger, so that gradients are
        for parameter in made.parameters():
            parameter.mul_(3)
    assert_as_exact_as_torch(made, BCE(), OPTIMIZERS[optimizer], l2=0.01)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("model", ["gmf", "neumf", "mf"])
def test_every_loss(model: str, loss: Any) -> None:
    assert_as_exact_as_torch(MODELS[model](), loss, OPTIMIZERS["adam"])


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.8, 0.99), (0.999, 0.999)])
def test_every_momentum(betas: tuple[float, float]) -> None:
    assert_as_exact_as_torch(GMF(N_USERS, N_ITEMS), BCE(), partial(Adam, betas=betas), n_epochs=2)


def test_rows_that_are_seldom_read_over_many_steps() -> None:
    # the gradients of a fresh GMF are so small that eps matters
    rates = (1.0,) * 40
    assert_as_exact_as_torch(GMF(N_USERS, N_ITEMS), BCE(), partial(Adam), n_epochs=40, rates=rates)


def test_weights_stay_the_models_own_and_state_goes_on_in_another_optimizer() -> None:
    whole, cut = (MODELS["neumf of odd widths"]() for _ in range(2))
    cut.load_state_dict(whole.state_dict())
    steps = compile_steps(whole, BCE(), OPTIMIZERS["adam"])
    for epoch in range(4):
        steps.take(make_batches(epoch))
        if epoch == 1:
            steps.table.flush()  # as a checkpoint does
    first = compile_steps(cut, BCE(), OPTIMIZERS["adam"])
    for epoch in range(2):
        first.take(make_batches(epoch))
    state, weights = deepcopy(first.optimizer.state_dict()), deepcopy(cut.state_dict())
    first.release()
    torch.manual_seed(1)
    other = MODELS["neumf of odd widths"]()
    other.load_state_dict(weights)
    optimizer = Adam(other.parameters(), lr=0.003)
    optimizer.load_state_dict(state)
    second = compile_steps(other, BCE(), lambda _: optimizer)
    for epoch in range(2, 4):
        second.take(make_batches(epoch))
    for one in (steps, second):
        one.table.flush()
        one.release()
    for name, parameter in whole.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name)), name
        assert parameter.is_contiguous()
        assert parameter.untyped_storage().size() == 4 * parameter.numel()


def test_dropout_is_a_function_of_seed_epoch_and_step() -> None:
    def train(seed: int) -> Tensor:
        torch.manual_seed(0)
        model = MLP(N_USERS, N_ITEMS, dropout=0.5)
        steps = compile_steps(model, BCE(), OPTIMIZERS["adam"])
        steps.seed = seed
        steps.take(make_batches())
        steps.table.flush()
        return torch.cat([p.detach().flatten().clone() for p in model.parameters()])

    assert torch.equal(train(0), train(0))
    assert not torch.equal(train(0), train(1))


def test_what_dropout_keeps_is_scaled_and_its_gradient_goes_the_same_way() -> None:
    # a tower of one wide layer whose outputs are all 1: a logit is the mean of what is kept, scaled
    width = 4096
    model = MLP(N_USERS, N_ITEMS, layers=[2, width], dropout=0.25)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.branches["mlp"].hidden[0].bias.fill_(1)
        model.output.weight.fill_(1 / width)
    steps = compile_steps(model, Squared(0.0), partial(torch.optim.SGD, lr=1.0))
    users, items = torch.tensor([3]), torch.tensor([[1, 2, 3, 4]])
    loss = steps.take(Batches(users, items, PER_BATCH, 0, 0))
    # (logit - 1)^2 of the one positive; its slope in the mean of four is (logit - 1) / 2
    logit = 1 + np.sign(-model.output.bias.item()) * loss**0.5
    # the output layer's gradient is the slope times 4/3 where an output was kept, else 0
    moved = model.output.weight.detach() - 1 / width
    kept = moved != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)
    slope = -model.output.bias.item()
    torch.testing.assert_close(moved[kept], torch.full_like(moved[kept], -slope * 4 / 3))
    # and so are the gradients behind it: only what was kept passed on a slope
    of_bias = model.branches["mlp"].hidden[0].bias.detach() - 1
    assert torch.equal((of_bias != 0), kept[0])
    assert logit == pytest.approx(kept.float().mean().item() * 4 / 3, abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_schedule_moves_the_rate_after_steps_without_a_warning() -> None:
    model = MODELS["gmf"]()
    steps = compile_steps(model, BCE(), OPTIMIZERS["adam"])
    schedule = torch.optim.lr_scheduler.StepLR(steps.optimizer, 1, gamma=0.5)
    steps.take(make_batches())
    schedule.step()
    assert steps.group["lr"] == 0.0015


def test_rows_are_swept_while_momentum_outlasts_a_64th_of_the_steps() -> None:
    # momentum of .9 fades to a thousandth in 70 steps: 64 times as many are 4,480
    assert [next_sweep(step, 0.9, 0.999) for step in (0, 63, 64, 4543)] == [1, 64, 66, 4614]
    assert next_sweep(4544, 0.9, 0.999) == NEVER
    assert next_sweep(4544, 0.98, 0.999) == 4544 + 72

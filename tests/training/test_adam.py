"""Our Adam against torch's: the same weights, whether rows are deferred or not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from src.models.embedding_table import EmbeddingTable
from src.training.adam import Adam
from src.training.compiled.taught_table import can_defer

N, WIDTH = 12, 3


class Model(nn.Module):
    """A table, and a layer that makes every row's gradient depend on the weights so far."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = EmbeddingTable(N, WIDTH)
        self.layer = nn.Linear(WIDTH, 1)

    def loss(self, ids: Tensor) -> Tensor:
        return (self.layer(self.table(ids)) - 1).square().mean()


def train(
    optimizer_class: type[torch.optim.Optimizer], steps: list[list[int]], defer: bool, **options
) -> Model:
    model = Model()
    optimizer = optimizer_class(model.parameters(), **options)
    if defer:
        optimizer.defer(model.table)
    for ids in steps:
        optimizer.zero_grad()
        # a table that is not read has no gradient: torch's Adam then skips it, ours counts on
        model.loss(torch.tensor(ids)).backward()
        optimizer.step()
    if defer:
        assert model.table.weight.grad is None
        optimizer.flush()
    return model


def assert_same(one: Model, other: Model) -> None:
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


batches = st.lists(st.integers(0, N - 1), min_size=1, max_size=6)


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(batches, min_size=1, max_size=40),
    defer=st.booleans(),
    betas=st.sampled_from([(0.9, 0.999), (0.0, 0.9), (0.5, 0.9)]),
)
def test_weights_are_those_of_dense_adam(
    steps: list[list[int]], defer: bool, betas: tuple[float, float]
) -> None:
    options = {"lr": 0.05, "betas": betas}
    assert_same(
        train(Adam, steps, defer, **options), train(torch.optim.Adam, steps, False, **options)
    )


def test_a_row_untouched_for_long_has_moved_as_far() -> None:
    # 5,000 steps: beyond the tables' first size, and momentum long gone
    steps = [[0, 1, 1]] + [[2, 3]] * 5000 + [[0, 2]]
    assert_same(train(Adam, steps, True, lr=1e-3), train(torch.optim.Adam, steps, False, lr=1e-3))


def test_rows_that_are_not_read_stay_as_they_are_until_flushed() -> None:
    model = Model()
    optimizer = Adam(model.parameters(), lr=0.1)
    optimizer.defer(model.table)
    for step in range(101):
        # row 4 at the first step alone, so that only its momentum moves it
        model.loss(torch.tensor([4 if step == 0 else 3])).backward()
        optimizer.step()
        if step == 99:
            before = model.table.weight.detach().clone()
    # every 64th of the steps taken, all rows are brought up to date: the last time after step 100
    assert torch.equal(model.table.weight[4], before[4])
    optimizer.flush()
    moved = (model.table.weight != before).any(1)
    assert moved.nonzero().flatten().tolist() == [3, 4]


def test_rows_read_twice_in_a_step() -> None:
    def loss(model: Model) -> Tensor:
        first, again = model.table(torch.tensor([1, 2])), model.table(torch.tensor([[2, 5]]))
        return (first * again[0]).sum()

    models = []
    for kind in (Adam, torch.optim.Adam):
        model = Model()
        optimizer = kind([model.table.weight], lr=0.1)
        if isinstance(optimizer, Adam):
            optimizer.defer(model.table)
        for _ in range(5):
            optimizer.zero_grad()
            loss(model).backward()
            optimizer.step()
        if isinstance(optimizer, Adam):
            optimizer.flush()
        models.append(model)
    torch.testing.assert_close(models[0].table.weight, models[1].table.weight)


def test_rate_that_changes_on_the_way() -> None:
    models = []
    for kind in (Adam, torch.optim.Adam):
        model = Model()
        optimizer = kind(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7)
        if isinstance(optimizer, Adam):
            optimizer.defer(model.table)
        for step in range(20):
            optimizer.zero_grad()
            model.loss(torch.tensor([step % 5, step % 3])).backward()
            optimizer.step()
            if step % 4 == 3:
                schedule.step()
        if isinstance(optimizer, Adam):
            optimizer.flush()
        models.append(model)
    assert_same(*models)


def test_saved_and_loaded_it_goes_on_as_before(tmp_path: Path) -> None:
    ids = [torch.tensor([step % 7, step % 4]) for step in range(30)]
    whole, cut = Model(), Model()
    for model, resumed_at in ((whole, None), (cut, 13)):
        optimizer = Adam(model.parameters(), lr=0.1)
        optimizer.defer(model.table)
        for step, batch in enumerate(ids):
            if step == resumed_at:
                torch.save((optimizer.state_dict(), model.state_dict()), tmp_path / "state")
                state, weights = torch.load(tmp_path / "state", weights_only=True)
                model.load_state_dict(weights)
                model.table.keeper = None
                optimizer = Adam(model.parameters(), lr=0.1)
                optimizer.load_state_dict(state)
                optimizer.defer(model.table)
            optimizer.zero_grad()
            model.loss(batch).backward()
            optimizer.step()
        optimizer.flush()
    assert_same(whole, cut)


@pytest.mark.parametrize(
    ("betas", "expected"),
    [
        ((0.9, 0.999), True),
        ((0.0, 0.9), True),
        ((0.99, 0.9), False),
        ((0.999, 0.999), False),
        ((0.5, 0.5), False),
    ],
)
def test_momentum_that_lasts_too_long_is_not_deferred(
    betas: tuple[float, float], expected: bool
) -> None:
    assert can_defer(betas) is expected
    model = Model()
    Adam(model.parameters(), betas=betas).defer(model.table)
    assert (model.table.keeper is not None) is expected

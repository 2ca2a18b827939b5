"""Histories: sums over them, and that a checkpoint brings its own."""

from __future__ import annotations

import torch

from src.models.history import History
from tests.data.fakes import interactions

TABLE = torch.tensor([[1.0, 0.0], [0.0, 10.0], [2.0, 5.0]])


def observed() -> History:
    history = History(3)
    history.observe(interactions([[2, 0], [], [1]], 3))
    return history


def test_sums_of_the_items_rows() -> None:
    users = torch.tensor([2, 1, 0, 0])
    found = observed().sum_rows(users, TABLE)
    assert found.tolist() == [[0, 10], [0, 0], [3, 5], [3, 5]]


def test_before_anything_was_observed_sums_are_zero() -> None:
    assert History(3).sum_rows(torch.tensor([0, 2]), TABLE).tolist() == [[0, 0], [0, 0]]


def test_counts_and_pairs() -> None:
    history = observed()
    assert history.counts(torch.tensor([0, 1, 2])).tolist() == [2, 0, 1]
    rows, items = history.list_pairs(torch.tensor([2, 0]))
    assert (rows.tolist(), items.tolist()) == ([0, 1, 1], [1, 2, 0])


def test_a_checkpoint_brings_its_own_sizes() -> None:
    loaded = History(3)
    loaded.load_state_dict(observed().state_dict())
    assert loaded.items.tolist() == [2, 0, 1]
    assert loaded.sum_rows(torch.tensor([0]), TABLE).tolist() == [[3, 5]]


def test_gradients_reach_the_rows_of_the_items() -> None:
    table = TABLE.clone().requires_grad_()
    observed().sum_rows(torch.tensor([0, 0, 2]), table).sum().backward()
    assert table.grad is not None
    assert table.grad[:, 0].tolist() == [2, 1, 2]

from __future__ import annotations

import torch

from src.data.slices import list_positions


def test_positions_of_slices_in_their_order() -> None:
    rows, places = list_positions(torch.tensor([7, 0, 3]), torch.tensor([2, 0, 3]))
    assert rows.tolist() == [0, 0, 2, 2, 2]
    assert places.tolist() == [7, 8, 3, 4, 5]


def test_no_slices() -> None:
    rows, places = list_positions(torch.zeros(0).long(), torch.zeros(0).long())
    assert (rows.tolist(), places.tolist()) == ([], [])

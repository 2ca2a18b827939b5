"""That an epoch never reads a value back from the device: the host would have to wait for a GPU.

No GPU is needed: torch shows every operation that a step makes, and those that read a value, or
make a tensor of a size that depends on values, are known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from src.data.interactions import Interactions
from src.data.stream import TrainingStream
from src.data.unseen import UnseenItems, UnseenLists
from src.models import NeuMF
from src.training.adam import Adam
from src.training.losses import BCE
from src.training.module import RecommenderModule
from src.training.steps import TorchSteps

WAITING = {
    "a mask as index",
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "_unique2",
    "bincount",
}


class NoWaiting(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        indices = args[1] if name in ("index", "index_put_") else ()
        if any(index is not None and index.dtype == torch.bool for index in indices):
            name = "a mask as index"
        assert name not in WAITING, f"{name} waits for the device"
        return function(*args, **(kwargs or {}))


def test_what_waits_is_noticed() -> None:
    tensor = torch.ones(2)
    for waiting in (
        lambda: tensor.sum().item(),
        lambda: tensor[tensor > 0],
        lambda: bool((tensor == 1).any()),
    ):
        with pytest.raises(AssertionError, match="waits"), NoWaiting():
            waiting()


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("index", [UnseenItems, UnseenLists])
def test_an_epoch_waits_for_nothing(explicit: bool, index: Callable[..., Any]) -> None:
    users, items = np.arange(40, dtype=np.int32) % 8, np.arange(40, dtype=np.int32) % 5
    unseen = index(Interactions(users, items, np.arange(8), np.arange(9)))
    stream = TrainingStream(torch.from_numpy(users), torch.from_numpy(items), unseen, 4, 60, seed=0)
    model = NeuMF(8, 9, dropout=0.1)
    module = RecommenderModule(model, BCE(), partial(Adam, lr=0.01))
    module.manual_backward = Tensor.backward  # type: ignore[method-assign, assignment]
    steps = TorchSteps(module, module.configure_optimizers(), explicit=explicit)
    with NoWaiting():
        for batches in stream:
            steps.take(batches)

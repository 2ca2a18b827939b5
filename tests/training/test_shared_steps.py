"""Several processes on one batch: the gradients of one process, and the same weights everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.data.share import Share
from src.data.stream import Batch, RatingBatch
from src.models import GMF, MF, LightGCN, NeuMF, Recommender
from src.models.embedding_table import EmbeddingTable
from src.training.adam import Adam
from src.training.exchange import Exchange
from src.training.losses import (
    BCE,
    BPR,
    MSE,
    WARP,
    BalancedBCE,
    Hinge,
    SampledSoftmax,
    Squared,
)
from src.training.module import RecommenderModule
from src.training.shared_steps import SharedSteps
from src.training.steps import TorchSteps
from tests.training.processes import together

N_USERS, N_ITEMS = 30, 20
LOSSES = [BCE(), BalancedBCE(), BPR(), Squared(0.3), Hinge(0.7), SampledSoftmax(), WARP(N_ITEMS)]


class TotalLoss:
    """No mean over the batch, nor a sum over its rows: its positives stand against each other."""

    def __call__(self, logits: Tensor) -> Tensor:
        return logits.logsumexp((0, 1)) - logits[:, 0].square().mean().sqrt()


class Plain(Recommender):
    """Embeddings as a user of the project writes them."""

    def __init__(self, n_users: int, n_items: int, sparse: bool = False) -> None:
        super().__init__(n_users, n_items)
        self.users = nn.Embedding(n_users, 4, sparse=sparse)
        self.items = nn.Embedding(n_items, 4, sparse=sparse)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        return (self.users(users) * self.items(items)).sum(-1)


MODELS: dict[str, Callable[[], Recommender]] = {
    "gmf": lambda: GMF(N_USERS, N_ITEMS, factors=4),
    "neumf": lambda: NeuMF(N_USERS, N_ITEMS, factors=4, num_layers=2),
    "mf": lambda: MF(N_USERS, N_ITEMS, factors=4),
    "lightgcn": lambda: LightGCN(N_USERS, N_ITEMS, factors=4),
    "a user's own": lambda: Plain(N_USERS, N_ITEMS),
    "sparse": lambda: Plain(N_USERS, N_ITEMS, sparse=True),
}


def make_batches(sizes: list[int], seed: int = 0) -> list[Batch]:
    torch.manual_seed(seed)
    return [Batch(torch.randint(N_USERS, (n,)), torch.randint(N_ITEMS, (n, 4))) for n in sizes]


def make_steps(
    made: Recommender, loss: Any, optimizer: Any, explicit: bool, share: Share | None, **more: Any
) -> TorchSteps:
    module = RecommenderModule(made, loss, optimizer, **more)
    module.manual_backward = lambda minimized: minimized.backward()  # type: ignore[method-assign]
    own = optimizer(module.parameters())
    if isinstance(own, Adam):
        for table in made.modules():
            if isinstance(table, EmbeddingTable):
                own.defer(table)
    if share is None:
        return TorchSteps(module, own, explicit=explicit)
    return SharedSteps(module, own, Exchange(share), explicit=explicit)


def train(
    model: str, loss: Any, optimizer: Any, batches: list[Any], share: Share | None = None,
    explicit: bool = False, **more: Any,
) -> SimpleNamespace:  # fmt: skip
    torch.manual_seed(1)
    made = MODELS[model]()
    with torch.no_grad():  # larger, so that gradients are
        for parameter in made.parameters():
            parameter.mul_(10)
    steps = make_steps(made, loss, optimizer, explicit, share, **more)
    total = steps.take(batches)
    if isinstance(steps.optimizer, Adam):
        steps.optimizer.release()
    steps.release()
    assert all(m.keeper is None for m in made.modules() if isinstance(m, EmbeddingTable))
    sent = steps.exchange.bytes_sent if isinstance(steps, SharedSteps) else 0
    weights = {name: p.detach() for name, p in made.named_parameters()}
    return SimpleNamespace(loss=float(total), weights=weights, sent=sent)


def assert_as_one(folder: Path, n: int, *works: Callable[..., SimpleNamespace]) -> None:
    """Each of `works`, a call of `train` without a share, comes to the same in n processes."""
    several = together(n, folder, lambda share: [work(share=share) for work in works])
    for place, work in enumerate(works):
        one, first = work(), several[0][place]
        for other in (results[place] for results in several):
            assert other.loss == pytest.approx(one.loss, rel=1e-5)
            for name, weight in one.weights.items():
                assert torch.equal(other.weights[name], first.weights[name]), name
                torch.testing.assert_close(other.weights[name], weight, rtol=1e-4, atol=1e-6)


# at a rate of 1 what has moved after one step is the gradient
GRADIENT = partial(torch.optim.SGD, lr=1.0)


@pytest.mark.parametrize("explicit", [False, True])
def test_the_gradient_of_every_loss(tmp_path: Path, explicit: bool) -> None:
    given = {"optimizer": GRADIENT, "batches": make_batches([7]), "l2": 0.1, "explicit": explicit}
    assert_as_one(tmp_path, 2, *(partial(train, "neumf", loss, **given) for loss in LOSSES))


def test_a_loss_of_the_user_s_own_may_be_anything_of_the_whole_batch(tmp_path: Path) -> None:
    batches = make_batches([7])
    assert_as_one(tmp_path, 3, partial(train, "neumf", TotalLoss(), GRADIENT, batches, l2=0.1))


def test_the_gradient_of_every_kind_of_model(tmp_path: Path) -> None:
    l2 = dict.fromkeys(("gmf", "mf", "lightgcn"), 0.1)
    works = [
        partial(train, model, BPR(), GRADIENT, make_batches([8]), l2=l2.get(model, 0.0))
        for model in MODELS
    ]
    assert_as_one(tmp_path, 3, *works)


def test_ratings(tmp_path: Path) -> None:
    torch.manual_seed(0)
    batch = RatingBatch(torch.randint(N_USERS, (7,)), torch.randint(N_ITEMS, (7,)), torch.rand(7))
    assert_as_one(tmp_path, 2, partial(train, "mf", MSE(), GRADIENT, [batch], l2=0.1))


def test_adam_row_by_row_over_batches_some_of_which_are_smaller_than_the_processes_are_many(
    tmp_path: Path,
) -> None:
    batches = make_batches([9, 9, 2, 9, 1, 9])
    works = [
        partial(train, "neumf", BCE(), partial(Adam, lr=0.01), batches, explicit=explicit)
        for explicit in (False, True)
    ]
    assert_as_one(tmp_path, 3, *works)


def test_what_is_sent_follows_the_batch_and_not_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    for place, n_users in enumerate((30, 30_000)):
        monkeypatch.setitem(MODELS, "mf", lambda n=n_users: MF(n, N_ITEMS, factors=4))
        found = together(
            2,
            tmp_path / str(place),
            lambda share: train("mf", BCE(), partial(Adam), make_batches([8]), share),
        )
        sent.append(found[0].sent)
    assert sent[0] == sent[1]
    # half of 8 positives with 3 negatives each: scores, at most 4 + 16 rows of an id and 5 numbers,
    # their number, and the bias
    assert sent[0] <= 4 * 4 * 4 + 20 * (4 + 5 * 4) + 8 + 4

"""The LightningModule: what it learns, what it ranks, and that runs repeat."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.interactions import Interactions
from src.data.stream import Batch, TrainingStream
from src.data.unseen import UnseenLists
from src.errors import UserError
from src.models import GMF, MLP, NeuMF
from src.training.adam import Adam
from src.training.checkpoints import load_model
from src.training.compiled.compiled_steps import CompiledSteps
from src.training.losses import BCE, Squared
from src.training.module import RecommenderModule
from src.training.steps import TorchSteps
from src.training.trainer import find_history, make_trainer
from src.training.trainer_options import TrainerOptions

# The matrix of the small tutorials: 4 users x 5 items, 1 where they interacted.
TOY = torch.tensor([[1, 1, 1, 0, 1], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]])


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: GMF(4, 5, factors=4), id="gmf"),
        pytest.param(lambda: MLP(4, 5, factors=4, num_layers=2), id="mlp"),
        pytest.param(lambda: NeuMF(4, 5, factors=4, num_layers=2), id="neumf"),
    ],
)
def test_toy_matrix_is_fitted_to_near_certainty(model: Any) -> None:
    torch.manual_seed(0)
    users, items = TOY.nonzero(as_tuple=True)
    toy = Interactions(users.numpy(), items.numpy(), np.arange(4), np.arange(5))
    stream = TrainingStream(users, items, UnseenLists(toy), 3, 200, seed=0)
    module = RecommenderModule(model(), BCE(), partial(torch.optim.Adam, lr=0.02))
    optimizer = module.configure_optimizers()
    for epoch in range(400):
        for step in range(stream.n_steps):
            optimizer.zero_grad()
            module.losses_of(stream.batch(epoch, step))[1].backward()
            optimizer.step()
    probability = module.model.score_all(torch.arange(4)).sigmoid()
    assert (probability[TOY == 1] > 0.95).all()
    assert (probability[TOY == 0] < 0.05).all()


class Generated:
    """A small source: 30 users, 20 items, two tastes."""

    def fingerprint(self) -> str:
        return "generated"

    def read(self) -> Interactions:
        rng = np.random.default_rng(0)
        liked = [rng.permutation(np.arange(u % 2, 20, 2))[:8] for u in range(30)]
        return Interactions(
            users=np.repeat(np.arange(30, dtype=np.int32), 8),
            items=np.concatenate(liked).astype(np.int32),
            user_ids=np.arange(30),
            item_ids=np.arange(20),
            timestamps=np.arange(240),
        )


def fit(
    folder: Path,
    epochs: int,
    resume: Path | None = None,
    batch_size: int = 60,
    optimizer: Any = partial(torch.optim.Adam, lr=0.01),  # noqa: B008
    **module_options: Any,
) -> tuple[pl.Trainer, RecommenderModule]:
    torch.manual_seed(0)
    data = InteractionDataModule(
        Generated(),
        DataOptions(candidates=11, batch_size=batch_size),
        cache=folder / "cache",
        seed=3,
    )
    model = NeuMF(30, 20, layers=[8, 4], factors=4, dropout=0.5)
    module = RecommenderModule(model, BCE(), optimizer, **{"seed": 3, **module_options})
    settings = TrainerOptions(accelerator="cpu", max_epochs=epochs, patience=None)
    trainer = make_trainer(folder, settings)
    trainer.fit(module, data, ckpt_path=resume)
    return trainer, module


def weights(module: RecommenderModule) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_same_seed_same_weights_to_the_last_bit(tmp_path: Path) -> None:
    _, one = fit(tmp_path / "a", 2)
    torch.rand(7)  # the state of the global generator must not matter
    _, other = fit(tmp_path / "b", 2)
    assert torch.equal(weights(one), weights(other))
    _, third = fit(tmp_path / "c", 2, seed=4)
    assert not torch.equal(weights(one), weights(third))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("by_row", [True, False])
def test_resumed_run_equals_one_never_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool, by_row: bool
) -> None:
    monkeypatch.setattr("src.training.steps.DEFERRED_ABOVE", 0 if by_row else 1000)
    monkeypatch.setattr("src.training.compiled.compiled_steps.DENSE_BELOW", 0 if by_row else 1000)
    options: dict[str, Any] = {"optimizer": partial(Adam, lr=0.01), "compiled": compiled}
    whole_trainer, whole = fit(tmp_path / "whole", 4, **options)
    fit(tmp_path / "cut", 2, **options)
    last = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    resumed_trainer, resumed = fit(tmp_path / "cut", 4, resume=last, **options)
    assert torch.equal(weights(whole), weights(resumed))
    losses = [
        [epoch["train/loss"] for epoch in find_history(trainer).epochs]
        for trainer in (whole_trainer, resumed_trainer)
    ]
    assert len(losses[0]) == 4
    assert losses[0] == losses[1]


def test_best_checkpoint_is_of_the_best_epoch_and_loads_alone(tmp_path: Path) -> None:
    trainer, module = fit(tmp_path, 6)
    epochs = find_history(trainer).epochs
    best = max(epochs, key=lambda epoch: epoch["val/ndcg@10"])
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    assert torch.load(checkpoint, weights_only=True)["epoch"] == best["epoch"]
    model = load_model(checkpoint, 30, 20)
    assert isinstance(model, NeuMF)
    assert not model.training
    last = load_model(tmp_path / "checkpoints" / "last.ckpt", 30, 20)
    users = torch.arange(30)
    assert torch.equal(last.score_all(users), module.model.eval().score_all(users))


def test_reported_loss_is_the_mean_over_examples_without_l2(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GMF(2, 4)
    squared = Squared()
    module = RecommenderModule(model, squared, partial(torch.optim.SGD, lr=0.1), l2=10.0)
    users = torch.tensor([0, 1])
    items = torch.tensor([[0, 1, 2], [3, 1, 0]])
    _, with_l2 = module.losses_of(Batch(users, items))
    logits = model(users, items)
    expected = squared(logits) * 6 + squared(logits[:1]) * 3
    still = torch.optim.SGD(module.parameters(), lr=0)
    batches = [Batch(users, items), Batch(users[:1], items[:1])]
    module.manual_backward = Tensor.backward  # type: ignore[method-assign, assignment]
    for explicit in (True, False):
        steps = TorchSteps(module, still, explicit=explicit)
        assert steps.take(batches).item() == pytest.approx(expected.item())
    norms = 10 * model.squared_norms(users, items)
    assert with_l2.item() == pytest.approx((squared(logits) + norms).item())


def test_steps_are_counted_one_by_one(tmp_path: Path) -> None:
    trainer, _ = fit(tmp_path, 2)
    assert trainer.global_step == 2 * trainer.train_dataloader.n_steps


def test_gradient_is_clipped(tmp_path: Path) -> None:
    # a single step of plain SGD at rate 1 moves the weights by the clipped gradient
    options: dict[str, Any] = {"batch_size": 10_000, "optimizer": partial(torch.optim.SGD, lr=1.0)}
    _, before = fit(tmp_path / "before", 1, **options, gradient_clip=1e-12)
    _, after = fit(tmp_path / "after", 1, **options, gradient_clip=1e-3)
    moved = (weights(after) - weights(before)).norm().item()
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_plateau_scheduler_watches_the_selecting_metric(tmp_path: Path) -> None:
    # a rate too small to change any rank: the metric stands still from the first epoch on
    trainer, _ = fit(
        tmp_path,
        3,
        optimizer=partial(torch.optim.SGD, lr=1e-12),
        scheduler=partial(torch.optim.lr_scheduler.ReduceLROnPlateau, mode="max", patience=0),
    )
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-14)


def count_deferrals(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that every table which an optimizer defers joins."""
    deferred: list[object] = []
    defer = Adam.defer
    monkeypatch.setattr(
        Adam, "defer", lambda self, table: (deferred.append(table), defer(self, table))
    )
    return deferred


def test_a_deferred_table_is_given_back_with_true_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = InteractionDataModule(Generated(), DataOptions(candidates=11), cache=tmp_path / "cache")
    found = []
    for above in (10**9, 0):
        monkeypatch.setattr("src.training.steps.DEFERRED_ABOVE", above)
        torch.manual_seed(0)
        module = RecommenderModule(GMF(30, 20, factors=4), without_gradient, partial(Adam, lr=0.01))
        trainer = make_trainer(
            tmp_path / str(above), TrainerOptions(accelerator="cpu", max_epochs=2), monitor=None
        )
        trainer.enable_checkpointing = False
        trainer.callbacks = [  # nothing judges or saves, so nothing else would flush
            c for c in trainer.callbacks if not isinstance(c, pl.callbacks.ModelCheckpoint)
        ]
        trainer.fit(module, data)
        assert module.model.table.keeper is None
        found.append(weights(module))
    torch.testing.assert_close(found[1], found[0], rtol=2e-2, atol=1e-3)
    # another optimizer finds the gradients where it looks for them
    module.model(torch.tensor([0]), torch.tensor([0])).sum().backward()
    assert module.model.table.weight.grad.any()


def without_gradient(logits: Tensor) -> Tensor:
    """Return BCE's value, with autograd left to find its gradient."""
    return BCE()(logits)


def test_a_loss_without_a_gradient_of_its_own_trains_by_autograd(tmp_path: Path) -> None:
    def fitted(loss: Any, folder: Path) -> RecommenderModule:
        torch.manual_seed(0)
        source, options = Generated(), DataOptions(candidates=11)
        data = InteractionDataModule(source, options, cache=tmp_path / "cache")
        module = RecommenderModule(NeuMF(30, 20, factors=4), loss, partial(Adam, lr=0.01))
        make_trainer(folder, TrainerOptions(accelerator="cpu", max_epochs=2)).fit(module, data)
        return module

    written, found = fitted(BCE(), tmp_path / "a"), fitted(without_gradient, tmp_path / "b")
    assert isinstance(written.steps, CompiledSteps)
    assert isinstance(found.steps, TorchSteps)
    assert not found.steps.explicit
    torch.testing.assert_close(weights(found), weights(written), rtol=1e-3, atol=1e-5)


def test_every_way_of_stepping_trains_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchs = partial(torch.optim.Adam, lr=0.01)
    ours = partial(Adam, lr=0.01)
    # a gradient that is clipped at more than it ever is clips nothing, but goes by torch
    by_torch: dict[str, Any] = {"gradient_clip": 1e9}
    monkeypatch.setattr(NeuMF, "explicit", False)
    _, reference = fit(tmp_path / "reference", 2, optimizer=torchs, **by_torch)
    _, autograd = fit(tmp_path / "autograd", 2, optimizer=ours, **by_torch)
    monkeypatch.setattr(NeuMF, "explicit", True)
    _, explicit = fit(tmp_path / "explicit", 2, optimizer=ours, **by_torch)
    assert isinstance(explicit.steps, TorchSteps)
    assert explicit.steps.explicit
    monkeypatch.setattr(NeuMF, "network", lambda self: None)
    monkeypatch.setattr(NeuMF, "explicit", False)
    monkeypatch.setattr("src.training.steps.DEFERRED_ABOVE", 0)
    deferring = count_deferrals(monkeypatch)
    _, deferred = fit(tmp_path / "deferred", 2, optimizer=ours)
    assert len(deferring) == 1
    for other in (autograd, deferred, explicit):
        torch.testing.assert_close(weights(other), weights(reference), rtol=2e-2, atol=1e-3)
        assert other.judged == reference.judged


def test_checkpoint_with_other_weights_is_refused_in_one_line(tmp_path: Path) -> None:
    fit(tmp_path, 1)
    file = tmp_path / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    content["state_dict"]["model.older"] = content["state_dict"].pop("model.table.weight")
    torch.save(content, file)
    with pytest.raises(UserError, match="with other weights in a NeuMF; train it again"):
        load_model(file, 30, 20)

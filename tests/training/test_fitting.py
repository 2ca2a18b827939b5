"""Models that are fitted to the whole training part, in the same Trainer as the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.interactions import Interactions
from src.models.fitted import Fitted
from src.models.popularity import ItemPop
from src.training.checkpoints import load_model
from src.training.fitting import FittedModule
from src.training.trainer import find_history, make_trainer
from src.training.trainer_options import TrainerOptions
from tests.training.test_module import Generated


class Sweeping(Fitted):
    """Knows more of the users' tastes with every sweep until the third, and then less."""

    iterative = True
    sweeps: Tensor

    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__(n_users, n_items)
        self.store(sweeps=torch.zeros(()))

    def fit(self, train: Interactions) -> None:
        self.store(sweeps=self.sweeps + 1)

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        alike = (users % 2 == items % 2).float()
        noise = (users * 31 + items * 17) % 7 / 7
        return alike * (3 - (self.sweeps - 3).abs()) * 0.4 + noise


def fit(folder: Path, kind: type[Fitted], **options: Any) -> tuple[FittedModule, Any]:
    data = InteractionDataModule(
        Generated(), DataOptions(candidates=11), cache=folder / "cache", seed=0
    )
    module = FittedModule(kind(30, 20))
    trainer = make_trainer(folder, TrainerOptions(accelerator="cpu", **options))
    trainer.fit(module, data)
    return module, trainer


def test_one_epoch_is_all_that_a_formula_takes(tmp_path: Path) -> None:
    module, trainer = fit(tmp_path, ItemPop, max_epochs=30)
    (epoch,) = find_history(trainer).epochs
    assert set(epoch) > {"epoch", "train/seconds", "eval/seconds", "val/ndcg@10"}
    assert "train/loss" not in epoch
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["best.ckpt"]
    loaded = load_model(tmp_path / "checkpoints" / "best.ckpt", 30, 20, trusted=[__name__])
    assert isinstance(loaded, ItemPop)
    assert torch.equal(loaded.counts, module.model.counts)
    assert loaded.counts.sum() == 30 * 6  # eight items each, less validation and test


def test_sweeps_are_judged_and_chosen_like_epochs(tmp_path: Path) -> None:
    module, trainer = fit(tmp_path, Sweeping, max_epochs=30, patience=2)
    epochs = find_history(trainer).epochs
    assert len(epochs) == 5  # two after the best without a better one
    assert trainer.global_step == 5
    best = load_model(tmp_path / "checkpoints" / "best.ckpt", 30, 20, trusted=[__name__])
    assert best.sweeps == 3
    assert module.model.sweeps == 5
    assert max(range(5), key=lambda place: epochs[place]["val/ndcg@10"]) == 2


@pytest.mark.parametrize("kind", [ItemPop, Sweeping])
def test_ratings_are_hidden_unless_they_are_to_be_predicted(
    tmp_path: Path, kind: type[Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Interactions] = []
    fitted = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, train: (seen.append(train), fitted(self, train)))
    fit(tmp_path, kind, max_epochs=1)
    assert [train.ratings for train in seen] == [None]

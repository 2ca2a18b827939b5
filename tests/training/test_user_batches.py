"""Training on users with all their items: what is minimized, and that it learns."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.stream import UserBatch, UserStream
from src.models import MF
from src.training.losses import FullSoftmax
from src.training.module import RecommenderModule
from src.training.trainer import make_trainer
from src.training.trainer_options import TrainerOptions
from tests.training.test_module import Generated


class Penalized(MF):
    """Asks for 7 beside the sum of the losses."""

    def score_rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        return self.score_all(users), torch.tensor(7.0)


def test_the_models_own_part_and_l2_are_shares_of_the_items() -> None:
    torch.manual_seed(0)
    module = RecommenderModule(Penalized(3, 4, factors=2), FullSoftmax(), l2=0.5)
    # user 2 has items 1 and 3, user 0 has item 0
    rows, items = torch.tensor([0, 0, 1]), torch.tensor([1, 3, 0])
    batch = UserBatch(torch.tensor([2, 0]), rows, items, torch.zeros(2, 0).long())
    value, minimized = module.losses_of(batch)
    logits = module.model.score_all(torch.tensor([2, 0]))
    expected = -logits.log_softmax(1)[rows, items].mean()
    torch.testing.assert_close(value, expected)
    norms = module.model.squared_norms(torch.tensor([2, 2, 0]), items[:, None])
    torch.testing.assert_close(minimized, expected + 7 / 3 + 0.5 * norms)


def test_batches_of_users_teach_two_tastes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = DataOptions(candidates=11, batch_size=10)
    data = InteractionDataModule(Generated(), options, cache=tmp_path / "cache", seed=3)
    optimizer = partial(torch.optim.Adam, lr=0.05)
    module = RecommenderModule(MF(30, 20, factors=4), FullSoftmax(), optimizer, seed=3)
    trainer = make_trainer(
        tmp_path, TrainerOptions(accelerator="cpu", max_epochs=20, patience=None)
    )
    trainer.fit(module, data)
    stream = trainer.train_dataloader
    assert isinstance(stream, UserStream)
    assert trainer.global_step == 20 * 3  # 30 users, 10 a step
    # six training items of each user's ten, all of them as likely
    assert module.running_loss() == pytest.approx(torch.tensor(10.0).log().item(), abs=0.4)

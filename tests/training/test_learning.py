"""That models learn: on generated data a trained NeuMF must clearly beat popularity."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from src.data.datamodule import InteractionDataModule
from src.data.sources.synthetic import Synthetic
from src.data.targets import CandidateTargets
from src.evaluation.metrics import metrics_at, ranks
from src.models import NeuMF
from src.training.losses import BCE
from src.training.module import RecommenderModule
from src.training.trainer import make_trainer
from src.training.trainer_options import TrainerOptions


def popularity_hr(data: InteractionDataModule) -> float:
    targets = data.targets("test")
    assert isinstance(targets, CandidateTargets)
    train = data.prepared.split.train
    counts = torch.bincount(torch.tensor(train.items), minlength=train.n_items)
    scores = counts[targets.items]
    return metrics_at(ranks(scores[:, 0], scores[:, 1:]), [10])["hr@10"].mean().item()


def test_neumf_beats_popularity_and_popularity_beats_chance(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = Synthetic(n_users=1000, n_items=500, n_interactions=50_000)
    data = InteractionDataModule(source, cache=tmp_path / "cache", full_ranking=False)
    module = RecommenderModule(NeuMF(1000, 500), BCE(), partial(torch.optim.Adam, lr=5e-3))
    trainer = make_trainer(tmp_path, TrainerOptions(accelerator="cpu", max_epochs=3))
    trainer.fit(module, data)
    trainer.test(module, data, ckpt_path="best", verbose=False)
    popularity = popularity_hr(data)
    assert popularity > 0.3  # chance is .1
    assert module.tested["test/hr@10"] > popularity + 0.15

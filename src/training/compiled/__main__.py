"""`python -m src.training.compiled`: compile what training and judging use, before it is needed."""

from __future__ import annotations

import sys

import numpy as np
import torch

from src.data.interactions import Interactions
from src.data.stream import TrainingStream
from src.data.targets import CatalogueBatch
from src.data.unseen_bits import UnseenBits, UnseenFolds
from src.evaluation.whole_catalogue import find_best, rank_in_catalogue
from src.kernels.available import is_available
from src.models import NeuMF
from src.training.adam import Adam
from src.training.compiled.compiled_steps import CompiledSteps
from src.training.compiled.taught_table import TaughtTable
from src.training.losses import BCE

N_USERS, N_ITEMS = 4, 9


def compile_all() -> None:
    """Train and judge a model on a handful of pairs, in every way that is compiled."""
    users, items = np.arange(8, dtype=np.int32) % N_USERS, np.arange(8, dtype=np.int32)
    data = Interactions(users, items, np.arange(N_USERS), np.arange(N_ITEMS))
    model = NeuMF(N_USERS, N_ITEMS)
    for unseen in (UnseenFolds(data), UnseenBits(data)):
        stream = TrainingStream(torch.from_numpy(users), torch.from_numpy(items), unseen, 1, 8, 0)
        batches = stream.take(0, 0, stream.n_steps)
    network = model.network()
    assert network is not None
    steps = CompiledSteps(
        network, BCE(), Adam(model.parameters()), l2=0, seed=0, per_batch=4, n_candidates=2
    )
    steps.take(batches)
    steps.release()
    _keep_rows(model)
    _judge(model.eval())


def _keep_rows(model: NeuMF) -> None:
    weight = model.table.weight.data
    averages = torch.zeros_like(weight), torch.zeros_like(weight)
    table, ids = TaughtTable(weight, averages, (0.9, 0.999), 1e-8, 0), torch.arange(2)
    table.add_gradient(ids, table.read(ids))
    table.update(1e-3)
    table.flush()


@torch.no_grad()
def _judge(model: NeuMF) -> None:
    users = torch.arange(N_USERS)
    model.score_candidates(users, torch.zeros(N_USERS, 2, dtype=torch.long))
    known = torch.zeros(N_USERS, N_ITEMS, dtype=torch.bool)
    batch = CatalogueBatch(users, users, torch.zeros_like(users), known)
    scores = model.score_all(users)
    rank_in_catalogue(scores, batch)
    find_best(scores, batch, 2)


if __name__ == "__main__":
    if not is_available():
        sys.exit(0)  # all that is compiled has another way
    compile_all()

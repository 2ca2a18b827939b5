"""Metrics from ranks, against libraries that are given every score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, roc_auc_score
from torch import Tensor
from torchmetrics.retrieval import (
    RetrievalAUROC,
    RetrievalHitRate,
    RetrievalMAP,
    RetrievalMRR,
    RetrievalNormalizedDCG,
    RetrievalPrecision,
    RetrievalRecall,
)

from src.evaluation.metrics import per_user, ranks

N_USERS, N_ITEMS = 40, 25


@pytest.fixture(scope="module")
def catalogue() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Scores [N_USERS, N_ITEMS] without ties, which items are targets, and our metrics."""
    generator = torch.Generator().manual_seed(3)
    # between 0 and 1: torchmetrics recommends no other items, and squeezes other scores into ties
    scores = torch.rand(N_USERS, N_ITEMS, generator=generator).argsort(1).double()
    scores = (scores + 1) / (N_ITEMS + 1)
    relevant = torch.rand(N_USERS, N_ITEMS, generator=generator) < 0.2
    relevant[:, 0] |= ~relevant.any(1)
    users, items = relevant.nonzero(as_tuple=True)
    found = ranks(scores[users, items], scores[users], relevant[users])
    n_negatives = (~relevant).sum(1)[users]
    # some users have more targets than places
    assert relevant.sum(1).min() == 1
    assert relevant.sum(1).max() > 5
    metrics = per_user(users, found, n_negatives, [1, 5, 10, N_ITEMS], together=True)[1]
    return scores, relevant, metrics


@pytest.mark.parametrize("k", [1, 5, 10, N_ITEMS])
def test_torchmetrics_agrees(catalogue: tuple[Tensor, Tensor, dict[str, Tensor]], k: int) -> None:
    scores, relevant, found = catalogue
    theirs = {
        "hr": RetrievalHitRate(top_k=k),
        "ndcg": RetrievalNormalizedDCG(top_k=k),
        "mrr": RetrievalMRR(top_k=k),
        "precision": RetrievalPrecision(top_k=k),
        "recall": RetrievalRecall(top_k=k),
    }
    index = torch.arange(N_USERS)[:, None].expand(N_USERS, N_ITEMS)
    for name, metric in theirs.items():
        expected = metric(scores.flatten().float(), relevant.flatten(), index.flatten()).item()
        assert found[f"{name}@{k}"].mean().item() == pytest.approx(expected, abs=1e-6), name
    auc = RetrievalAUROC()(scores.flatten().float(), relevant.flatten(), index.flatten())
    assert found["auc"].mean().item() == pytest.approx(auc.item(), abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 10, N_ITEMS])
def test_torchmetrics_agrees_on_map(
    catalogue: tuple[Tensor, Tensor, dict[str, Tensor]], k: int
) -> None:
    """It divides by the hits among the first k, which rewards finding fewer; we by min(m, k)."""
    scores, relevant, found = catalogue
    best = min(k, N_ITEMS)
    hits = relevant.gather(1, scores.topk(best).indices).sum(1)
    most = relevant.sum(1).clamp(max=k)
    for user in range(N_USERS):
        expected = RetrievalMAP(top_k=k)(
            scores[user].float(), relevant[user], torch.zeros(N_ITEMS, dtype=torch.long)
        )
        ours = found[f"map@{k}"][user] * most[user]
        assert ours.item() == pytest.approx((expected * hits[user]).item(), abs=1e-6)


def test_sklearn_agrees(catalogue: tuple[Tensor, Tensor, dict[str, Tensor]]) -> None:
    scores, relevant, found = (x if isinstance(x, dict) else x.numpy() for x in catalogue)
    for k in (1, 5, 10, N_ITEMS):
        expected = ndcg_score(relevant, scores, k=k, ignore_ties=True)
        assert found[f"ndcg@{k}"].mean().item() == pytest.approx(expected, abs=1e-12)
    # average precision without a cut-off
    expected = label_ranking_average_precision_score(relevant, scores)
    assert found[f"map@{N_ITEMS}"].mean().item() == pytest.approx(expected, abs=1e-12)
    areas = [roc_auc_score(y, s) for y, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(found["auc"].numpy(), areas, atol=1e-12)
